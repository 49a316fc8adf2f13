//! A served engine with one live workspace, and a client that can send anything.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use signalbox_core::catalog::{
    About, Action, Flow, Grants, Kind, LiteralCall, Plan, RateLimit, Step, Workspace,
};
use signalbox_core::clock::{ManualClock, Timestamp};
use signalbox_core::inputs::{Field, Schema, Type};
use signalbox_core::isolation::Level;
use signalbox_core::schedule::Schedule;
use signalbox_core::webhook::{Auth, Mode, Webhook};
use signalbox_core::{Digest, FlowName, RunId};
use signalbox_engine::Engine;
use signalbox_store::Store as _;
use signalbox_store::contract::{DeploymentOutcome, NewDeployment};
use signalbox_store::sqlite::{self, SqliteStore};
use signalbox_testkit::Repo;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::{Options, Server, TokenDigest};

/// Where the flow `monitoring/scan` is started.
pub(super) const START: &str = "/api/v1/workspaces/media/flows/monitoring/scan/runs";

/// The present stands still, at 2100-01-01T00:00:00.000001Z. It lies in the future because the engine's
/// alarm is set by the system's clock: slots of a standing past would be due for ever.
const NOW: Timestamp = Timestamp(4_102_444_800_000_001);

/// Nothing takes so long unless it hangs.
const PATIENCE: Duration = Duration::from_mins(1);

/// A served engine.
pub(super) struct Fixture {
    pub(super) address: SocketAddr,
    pub(super) engine: Engine,
    close: oneshot::Sender<()>,
    serving: JoinHandle<()>,
    _repo: Repo,
    _data: tempfile::TempDir,
}

impl Fixture {
    /// A server without a token.
    pub(super) async fn open() -> Self {
        Self::start(None).await
    }

    /// A server with a token, if one is given.
    pub(super) async fn start(token: Option<&str>) -> Self {
        let repo = Repo::new();
        repo.write("README.md", "no manifest here").commit("first");
        let data = tempfile::tempdir().unwrap();
        let engine = Engine::start(options(&repo, data.path()).await).await.unwrap();
        let server = bind("127.0.0.1:0", token, &engine).unwrap();
        let address = server.local_addr();
        let (close, closed) = oneshot::channel();
        let serving = tokio::spawn(server.run(closed));
        Self { address, engine, close, serving, _repo: repo, _data: data }
    }

    /// Begins to stop the server, and waits until it has.
    pub(super) async fn stop(self) {
        self.close.send(()).unwrap();
        tokio::time::timeout(PATIENCE, self.serving).await.unwrap().unwrap();
    }

    pub(super) async fn get(&self, path: &str) -> Answer {
        self.send(Ask::new("GET", path)).await
    }

    pub(super) async fn post(&self, path: &str, body: &str) -> Answer {
        self.send(Ask::new("POST", path).json(body)).await
    }

    pub(super) async fn send(&self, ask: Ask) -> Answer {
        let mut stream = self.connect(ask.header("Connection", "close")).await;
        let mut bytes = Vec::new();
        // The server may answer and hang up before it has read everything.
        let read = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut bytes)).await.unwrap();
        assert!(read.is_ok() || !bytes.is_empty(), "{read:?}");
        Answer::parse(&bytes)
    }

    /// Sends a request and leaves the answer to be read.
    pub(super) async fn connect(&self, ask: Ask) -> BufReader<TcpStream> {
        #[expect(clippy::disallowed_methods, reason = "a test of this server speaks to it")]
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        // A server that refuses early may close its side while we write.
        drop(stream.write_all(&ask.bytes()).await);
        BufReader::new(stream)
    }

    /// Starts a run of the flow `monitoring/scan`.
    pub(super) async fn start_run(&self, inputs: &str) -> String {
        let answer = self.post(START, &format!(r#"{{"inputs":{inputs}}}"#)).await;
        assert_eq!(answer.status, 202, "{answer:?}");
        let id = answer.json()["id"].as_str().unwrap().to_owned();
        assert!(id.parse::<RunId>().is_ok());
        id
    }
}

/// A server on an address; what [`Server::bind`] says.
pub(super) fn bind(
    listen: &str,
    token: Option<&str>,
    engine: &Engine,
) -> Result<Server, crate::Error> {
    let listen = listen.parse().unwrap();
    let options = Options { listen, token: token.map(TokenDigest::of), version: "0.0.0-test" };
    Server::bind(options, engine.handle())
}

async fn options(repo: &Repo, data: &std::path::Path) -> signalbox_engine::Options {
    let clock = Arc::new(ManualClock::at(NOW));
    let store = SqliteStore::open(data, sqlite::Options { clock: clock.clone() }).unwrap();
    store.deploy(vec![deployment()], vec![]).await.unwrap();
    let location = signalbox_sync::Location::parse(repo.path().to_str().unwrap()).unwrap();
    signalbox_engine::Options {
        source: Arc::new(signalbox_sync::Source::open(&location, None, "").unwrap()),
        source_name: "test".to_owned(),
        manifest: None,
        data: data.to_owned(),
        store: Arc::new(store),
        clock,
        cell: ("/nowhere/signalbox".into(), vec![]),
        poll: Duration::from_hours(1),
        isolation: Level::L1,
        grace: Duration::from_secs(1),
        own_ports: vec![],
    }
}

fn deployment() -> NewDeployment {
    let spec = workspace();
    NewDeployment {
        workspace: spec.name.clone(),
        source: "test".to_owned(),
        revision: spec.revision.clone(),
        tree: spec.tree.clone(),
        identity: spec.identity(),
        contracts: Digest::of(b"contracts"),
        outcome: DeploymentOutcome::Deployed,
        spec: Some(Arc::new(spec)),
        diagnostics: vec![],
        author: "Ada <script>".to_owned(),
        added: vec!["monitoring/scan".parse().unwrap()],
        changed: vec![],
        removed: vec![],
        hint: "start".to_owned(),
        hint_to_live_ms: Some(1.5),
        started_at: NOW,
        ended_at: NOW,
        pin: false,
    }
}

fn workspace() -> Workspace {
    let mut grants = Grants::default();
    grants.limits.concurrency = 0;
    grants.limits.queue = 5;
    let flow: FlowName = "monitoring/scan".parse().unwrap();
    let about = About {
        description: Some("Films & <b>series</b>".to_owned()),
        owner: Some("media-team".to_owned()),
        tags: vec!["home".to_owned()],
        ..About::default()
    };
    let revision = "a".repeat(40).parse().unwrap();
    Workspace {
        tree: "b".repeat(40),
        about,
        grants,
        secrets: BTreeSet::from(["API_KEY".to_owned()]),
        webhooks: webhooks(&flow),
        flows: BTreeMap::from([(flow, scan())]),
        ..Workspace::new("media".parse().unwrap(), Kind::Platform, revision)
    }
}

fn webhooks(flow: &FlowName) -> BTreeMap<String, Webhook> {
    let keyed = Webhook {
        flow: flow.clone(),
        auth: Auth::ApiKey { keys: vec!["API_KEY".to_owned()], header: "X-Api-Key".to_owned() },
        mode: Mode::Async,
        inputs: None,
        idempotency: None,
        rate_limit: None,
    };
    let once = RateLimit { count: 1, per: Duration::from_hours(1) };
    let seldom = Webhook { rate_limit: Some(once), ..keyed.clone() };
    let open = Webhook { auth: Auth::None, ..keyed.clone() };
    [("keyed", keyed), ("open", open), ("seldom", seldom)]
        .map(|(name, webhook)| (name.to_owned(), webhook))
        .into()
}

fn scan() -> Flow {
    let count = Field { min: Some(0.0), ..Field::of(Type::Integer) };
    let any = Field::of(Type::Any);
    let step = Step::new("look", Action::Run { code: "inputs.n".to_owned(), line: 3 }, 2);
    let call = LiteralCall {
        target: "alerts.send".to_owned(),
        inputs: None,
        file: "media/flows/monitoring/scan.yaml".to_owned(),
        line: 3,
        column: 1,
        handles: None,
        tells: None,
    };
    Flow {
        summary: Some("Looks".to_owned()),
        inputs: Schema { fields: [("n".to_owned(), count), ("any".to_owned(), any)].into() },
        schedules: vec![Schedule::cron("0 0 1 1 *", "UTC")],
        timeout: Some(Duration::from_mins(1)),
        plan: Plan { steps: vec![step], ..Plan::default() },
        calls: vec![call],
        ..Flow::new("flows/monitoring/scan.yaml")
    }
}

/// A request, exactly as it is sent.
#[derive(Debug, Clone)]
pub(super) struct Ask {
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Ask {
    /// A request with nothing but a good Host.
    pub(super) fn new(method: &str, path: &str) -> Self {
        Self::bare(method, path).header("Host", "localhost")
    }

    /// A request without any header.
    pub(super) fn bare(method: &str, path: &str) -> Self {
        Self {
            method: method.to_owned(),
            path: path.to_owned(),
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    pub(super) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(super) fn token(self, token: &str) -> Self {
        self.header("Authorization", &format!("Bearer {token}"))
    }

    pub(super) fn json(self, body: &str) -> Self {
        self.header("Content-Type", "application/json").body(body.as_bytes())
    }

    pub(super) fn body(mut self, body: &[u8]) -> Self {
        self.body = body.to_vec();
        self.header("Content-Length", &body.len().to_string())
    }

    /// Sends bytes behind the head, without saying how many.
    pub(super) fn raw(mut self, bytes: &[u8]) -> Self {
        self.body = bytes.to_vec();
        self
    }

    fn bytes(&self) -> Vec<u8> {
        let mut head = format!("{} {} HTTP/1.1\r\n", self.method, self.path);
        for (name, value) in &self.headers {
            head += &[name, ": ", value, "\r\n"].concat();
        }
        head += "\r\n";
        [head.as_bytes(), &self.body].concat()
    }
}

/// An answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    head: String,
    pub(super) body: String,
}

impl Answer {
    fn parse(bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes);
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no head: {text}"));
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Self { status, head: head.to_owned(), body: body.to_owned() }
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().skip(1).filter_map(|line| line.split_once(": "));
        lines.find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    pub(super) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The status and the code of a problem, which must be one.
    pub(super) fn problem(&self) -> (u16, String) {
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{self:?}");
        let problem = self.json();
        assert_eq!(problem["status"], self.status);
        (self.status, problem["code"].as_str().unwrap().to_owned())
    }
}

/// Reads lines of a stream up to one that contains `text`.
pub(super) async fn read_until(stream: &mut BufReader<TcpStream>, text: &str) -> String {
    let mut seen = String::new();
    while !seen.lines().any(|line| line.contains(text)) {
        let read = tokio::time::timeout(PATIENCE, stream.read_line(&mut seen)).await;
        assert!(read.expect("the text must come").unwrap() > 0, "{text} is not in {seen}");
    }
    seen
}

//! An engine in this process whose cells are not cells.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::sync::Arc;
use std::time::Duration;

use signalbox_core::clock::{Clock, Timestamp};
use signalbox_core::isolation::Level;
use signalbox_core::run::{Reason, State};
use signalbox_core::{RunId, Value, value};
use signalbox_engine::{Engine, Handle, Options, StartRequest};
use signalbox_store::contract::RunView;
use signalbox_store::sqlite::{self, SqliteStore};
use signalbox_sync::hints::HintKind;
use signalbox_testkit::{PATIENCE, Repo};
use tempfile::TempDir;

#[derive(Debug)]
struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        Timestamp(i64::try_from(since.unwrap_or_default().as_micros()).unwrap())
    }
}

/// An engine with two workspaces: `ops` is as it should be, the cells of `shop` are taken.
pub(crate) struct Scene {
    pub(crate) handle: Handle,
    engine: tokio::sync::Mutex<Option<Engine>>,
    mutes: TempDir,
    _repo: Repo,
    _data: TempDir,
}

/// The memory of `shop`'s cells, in MiB, which no other has.
const MEMORY: u64 = 99;

impl Scene {
    /// Starts it, with a flow of `shop` for each attack.
    pub(crate) async fn start(attacks: &[&str]) -> Self {
        let repo = Repo::new();
        let limits = format!("limits: {{ run_time: 2s, memory: {MEMORY}MiB }}");
        repo.write(
            "signalbox.yaml",
            format!(
                "version: 1\nworkspaces:\n  ops: {{ kind: platform, path: ops }}\n  \
                 shop: {{ kind: domain, path: shop, grants: {{ {limits} }} }}\n"
            ),
        );
        repo.write("ops/workspace.yaml", "secrets: [OPS_KEY]\n");
        for flow in ["keep", "look", "wait"] {
            repo.write(&format!("ops/flows/{flow}.yaml"), "run: \"1\"\n");
        }
        for flow in attacks.iter().chain(&["good"]) {
            repo.write(&format!("shop/flows/{flow}.yaml"), "run: \"1\"\n");
        }
        repo.commit("flows to attack with");
        let data = tempfile::tempdir().unwrap();
        let mutes = tempfile::tempdir().unwrap();
        let mute = ["--mute".to_owned(), mutes.path().display().to_string()];
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let options = sqlite::Options { clock: Arc::clone(&clock) };
        let store = Arc::new(SqliteStore::open(data.path(), options).unwrap());
        let location = signalbox_sync::Location::parse(&repo.path().display().to_string()).unwrap();
        let source = Arc::new(signalbox_sync::Source::open(&location, None, "").unwrap());
        let engine = Engine::start(Options {
            source,
            source_name: "taken".to_owned(),
            manifest: None,
            data: data.path().to_path_buf(),
            store,
            clock,
            cell: (env!("CARGO_BIN_EXE_signalbox-taken").into(), mute.into()),
            poll: Duration::from_hours(1),
            isolation: Level::L1,
            grace: Duration::from_secs(1),
            own_ports: Vec::new(),
        });
        let engine = engine.await.unwrap();
        let handle = engine.handle();
        let report = handle.sync(HintKind::Cli, Some(PATIENCE)).await.unwrap().unwrap();
        assert!(report.is_good(), "{report:?}");
        let engine = tokio::sync::Mutex::new(Some(engine));
        Self { handle, engine, mutes, _repo: repo, _data: data }
    }

    /// The next cells of `shop`, so many, never say that they are ready.
    pub(crate) fn mute(&self, cells: usize) {
        for number in 0..cells {
            let file = format!("{}.{number}", MEMORY << 20);
            fs::write(self.mutes.path().join(file), "").unwrap();
        }
    }

    /// How many of them have not been started.
    pub(crate) fn mutes(&self) -> usize {
        fs::read_dir(self.mutes.path()).unwrap().count()
    }

    pub(crate) async fn accept(&self, flow: &str, inputs: &Value) -> RunId {
        let inputs = match inputs {
            Value::Null => Value::Map(BTreeMap::new()),
            given => given.clone(),
        };
        let request = StartRequest { flow: flow.parse().unwrap(), inputs, idempotency_key: None };
        self.handle.start(request).await.unwrap().run
    }

    pub(crate) async fn run(&self, run: &RunId) -> RunView {
        self.handle.run(run).await.unwrap()
    }

    /// The run once it has ended, or cannot go on without a person.
    pub(crate) async fn ended(&self, run: &RunId) -> RunView {
        let over = async {
            loop {
                let short = Duration::from_millis(50);
                let ended = self.handle.wait(run, short).await.unwrap().is_some();
                let view = self.run(run).await;
                let reason = view.summary.reason.map(Reason::as_str);
                if ended || reason == Some("incompatible") {
                    return view;
                }
            }
        };
        tokio::time::timeout(PATIENCE, over).await.unwrap()
    }

    pub(crate) async fn until(&self, run: &RunId, state: State) {
        let reached = async {
            while self.run(run).await.summary.state != state {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(PATIENCE, reached).await.unwrap();
    }

    /// The result of a run that must succeed.
    pub(crate) async fn result(&self, flow: &str) -> Value {
        let run = self.accept(flow, &Value::Null).await;
        let view = self.ended(&run).await;
        assert_eq!(said(&view), "succeeded", "{flow}: {:?}", view.summary.error);
        value::decode(&view.result.unwrap()).unwrap()
    }

    pub(crate) async fn stop(&self) {
        let engine = self.engine.lock().await.take();
        engine.unwrap().stop().await.unwrap();
    }
}

/// State, reason and code of a run.
pub(crate) fn said(view: &RunView) -> String {
    let summary = &view.summary;
    let mut words = vec![summary.state.as_str().to_owned()];
    words.extend(summary.reason.map(|reason| reason.as_str().to_owned()));
    words.extend(summary.error.as_ref().map(|error| error.code.to_string()));
    words.join(" ")
}

/// A figure of this process's `status`, in KiB.
pub(crate) fn memory(what: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(what)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// How much this process has open.
pub(crate) fn open() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}

/// The processes that this one has started and not waited for.
pub(crate) fn children() -> BTreeSet<u32> {
    let tasks = fs::read_dir("/proc/self/task").unwrap();
    let of = |task: fs::DirEntry| fs::read_to_string(task.path().join("children")).ok();
    let all: String = tasks.filter_map(|task| of(task.ok()?)).collect();
    all.split_whitespace().map(|pid| pid.parse().unwrap()).collect()
}

/// Looks until something is so.
pub(crate) async fn eventually(what: &str, mut so: impl FnMut() -> bool) {
    let looking = async {
        while !so() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, looking).await.is_ok(), "waited in vain until {what}");
}

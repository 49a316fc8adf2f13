//! One session of the demo, from its folder to its end.

use std::collections::BTreeSet;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use signalbox_core::isolation::Level;
use signalbox_core::run::Trigger;
use signalbox_core::{RunId, WorkspaceName};
use signalbox_engine::{Event, EventKind, Handle};
use signalbox_store::contract::{CallDecision, CallFilter, DeploymentOutcome};
use signalbox_sync::hints::HintKind;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::timeout;

use super::DEFAULT_LISTEN;
use super::chain::{Broken, Chain, PLATFORM};
use super::stand_ins::StandIns;
use super::{narrate, repository};
use crate::exit::{Exit, Failure};
use crate::faults::Fault;
use crate::runner::{Options, Runner};
use crate::terminal::{data, say};

/// The workspace that trades, and needs keys for it.
const FINANCIAL: &str = "homeops-financial";
/// What the broker of the demo signs its reports with.
pub(super) const HOOK_KEY: &str = "demo";
/// How long the first revision and the chain may take, each.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often the repository is looked at: a commit is live before its author looks up.
const POLL: Duration = Duration::from_millis(250);
/// How many slots are shown as next.
const NEXT: usize = 4;

/// Show what it does: serve the example repository, with stand-ins for the outside world
///
/// Makes the homeops example a git repository in a temporary folder and runs it all for real. Of the
/// outside world there are stand-ins, small servers on this machine: a market data and trading API,
/// Slack, a media library and Docker. Nothing leaves this machine. Ctrl-C ends it and removes the
/// folder.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  signalbox demo            look around, edit the repository, see it go live
  signalbox demo --once     only the chain of calls: 0 when every link held")]
pub(crate) struct Args {
    /// Where to listen [default: 127.0.0.1:8742, or a free port when that is taken]
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
    /// End when the chain of calls is complete: 0 when every link held, else 1
    #[arg(long)]
    once: bool,
    /// Leave the folder with the repository and the runner's data where it is
    #[arg(long)]
    keep: bool,
}

/// A demo that is being served.
struct Session<'a> {
    handle: Handle,
    address: SocketAddr,
    repository: &'a Path,
    stand_ins: &'a StandIns,
    revision: String,
    started: Instant,
}

impl Session<'_> {
    /// All of it. With `once`, ends with the chain; otherwise with the engine.
    async fn run(&self, once: bool) -> anyhow::Result<Exit> {
        let mut events = self.handle.events(None).receiver;
        self.go_live().await?;
        let held = self.follow_chain(&mut events).await?;
        if held {
            data(&narrate::complete(self.started.elapsed()))?;
        }
        if once {
            return Ok(Exit::done_if(held));
        }
        let slots = self.handle.next_slots(NEXT);
        data(&narrate::next(&slots, self.handle.now()))?;
        let program = std::env::args().next().unwrap_or_else(|| "signalbox".to_owned());
        data(&narrate::to_try(&program, self.address, self.repository))?;
        data(&narrate::going_on())?;
        self.follow(&mut events).await
    }

    /// Waits for the first revision to be live everywhere and gives the platform its secret.
    async fn go_live(&self) -> anyhow::Result<()> {
        let report = self.handle.sync(HintKind::Start, Some(PATIENCE)).await?;
        let report = report.context("the first revision is not live in time")?;
        let mut workspaces = Vec::new();
        let mut faults = report.root_faults;
        let mut slowest = 0.0_f64;
        for outcome in report.workspaces {
            match outcome.outcome {
                DeploymentOutcome::Deployed | DeploymentOutcome::Unchanged => {
                    // The look at the start may have been first: then its deployment has the time.
                    let deployed = self.handle.deployments(&outcome.workspace, 1, None).await?;
                    let taken = deployed.first().and_then(|deployed| deployed.new.hint_to_live_ms);
                    slowest = slowest.max(taken.unwrap_or_default());
                    workspaces.push(outcome.workspace.to_string());
                }
                DeploymentOutcome::Rejected
                | DeploymentOutcome::Superseded
                | DeploymentOutcome::Held
                | DeploymentOutcome::RolledBack => faults.extend(outcome.diagnostics),
            }
        }
        if !faults.is_empty() || workspaces.is_empty() {
            let mut failure = Failure::new(Exit::Bug, "the example is not live");
            failure.faults = faults.iter().map(Fault::from).collect();
            return Err(failure.into());
        }
        data(&narrate::live(&self.revision, &workspaces, slowest))?;
        let webhook = format!("http://{}/services/T0DEMO/B0DEMO/homeops", self.stand_ins.slack);
        for (workspace, name, value) in [
            (PLATFORM, "SLACK_WEBHOOK", webhook.as_str()),
            (FINANCIAL, "ALPACA_KEY", "demo"),
            (FINANCIAL, "ALPACA_SECRET", "demo"),
            (FINANCIAL, "BROKER_HOOK_KEY", HOOK_KEY),
        ] {
            let workspace: WorkspaceName = workspace.parse()?;
            self.handle.set_secret(&workspace, name, value.as_bytes()).await?;
        }
        Ok(())
    }

    /// Follows the chain to its end and says each link. Answers whether it held.
    async fn follow_chain(&self, events: &mut Receiver<Arc<Event>>) -> anyhow::Result<bool> {
        let store = Arc::clone(self.handle.store());
        let mut chain = Chain::new(store, Arc::clone(&self.stand_ins.seen), self.handle.now());
        let links = async {
            while !chain.is_complete() {
                match chain.advance().await {
                    Ok(Some(link)) => data(&narrate::link(&link))?,
                    Ok(None) => {
                        self.something(events).await?;
                    }
                    Err(broken) => return Ok(Some(broken)),
                }
            }
            anyhow::Ok(None::<Broken>)
        };
        let why = match timeout(PATIENCE, links).await {
            Ok(ended) => match ended? {
                None => return Ok(true),
                Some(broken) => broken.to_string(),
            },
            Err(_) => format!("waited {PATIENCE:?} in vain for {}", chain.waits_for()),
        };
        data(&narrate::broken(&why))?;
        Ok(false)
    }

    /// Says what happens from now on, until the engine stops.
    async fn follow(&self, events: &mut Receiver<Arc<Event>>) -> anyhow::Result<Exit> {
        let mut refused = BTreeSet::new();
        loop {
            let event = self.something(events).await?;
            for message in self.stand_ins.seen.take_messages() {
                data(&narrate::message(&message))?;
            }
            if let Some(event) = event {
                self.tell(&event).await?;
            }
            self.tell_recovery(&mut refused)?;
        }
    }

    /// Says when a workspace whose revision was refused has a good one again: one that was live all
    /// the time is no deployment, and no event.
    fn tell_recovery(&self, refused: &mut BTreeSet<WorkspaceName>) -> anyhow::Result<()> {
        for (workspace, outcome) in &self.handle.live().last {
            if !outcome.is_good() {
                refused.insert(workspace.clone());
            } else if refused.remove(workspace) && outcome.outcome == DeploymentOutcome::Unchanged {
                data(&narrate::recovered(outcome))?;
            }
        }
        Ok(())
    }

    /// The next event; `None` when something reached the stand-ins, or events were lost.
    async fn something(
        &self,
        events: &mut Receiver<Arc<Event>>,
    ) -> anyhow::Result<Option<Arc<Event>>> {
        tokio::select! {
            event = events.recv() => match event {
                Ok(event) => Ok(Some(event)),
                Err(RecvError::Lagged(_)) => Ok(None),
                Err(RecvError::Closed) => anyhow::bail!("the runner stopped"),
            },
            () = self.stand_ins.seen.changed() => Ok(None),
        }
    }

    async fn tell(&self, event: &Event) -> anyhow::Result<()> {
        match &event.kind {
            EventKind::Run { run, state, .. } if state.is_terminal() => self.tell_end(run).await,
            EventKind::Call { run, allowed: false } => self.tell_refusal(run).await,
            EventKind::Deployment { .. } => {
                let live = self.handle.live();
                let outcome = live.last.get(&event.workspace);
                outcome.and_then(narrate::deployment).map_or(Ok(()), |text| Ok(data(&text)?))
            }
            EventKind::Run { .. }
            | EventKind::Suspended { .. }
            | EventKind::Pause { .. }
            | EventKind::Log { .. }
            | EventKind::Call { .. }
            | EventKind::Alarm { .. } => Ok(()),
        }
    }

    /// A run that another one called is part of that one's story.
    async fn tell_end(&self, run: &RunId) -> anyhow::Result<()> {
        let run = self.handle.store().run(run).await?;
        match run.summary.trigger {
            Trigger::Call { .. } | Trigger::Flow { .. } => Ok(()),
            Trigger::Schedule { .. }
            | Trigger::Handler { .. }
            | Trigger::Alarm { .. }
            | Trigger::Webhook { .. }
            | Trigger::Api
            | Trigger::Retry { .. }
            | Trigger::Continue { .. } => Ok(data(&narrate::ended(&run))?),
        }
    }

    async fn tell_refusal(&self, run: &RunId) -> anyhow::Result<()> {
        let decision = Some(CallDecision::Refused);
        let filter = CallFilter { decision, limit: 100, ..CallFilter::default() };
        let page = self.handle.store().calls(filter).await?;
        let call = page.items.iter().find(|call| call.record.caller_run.as_ref() == Some(run));
        call.map_or(Ok(()), |call| Ok(data(&narrate::refused(call))?))
    }
}

/// Runs the demo.
pub(crate) fn run(args: &Args) -> anyhow::Result<Exit> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("failed to start the runtime")?;
    runtime.block_on(demonstrate(args))
}

async fn demonstrate(args: &Args) -> anyhow::Result<Exit> {
    let folder = tempfile::Builder::new()
        .prefix("signalbox-demo-")
        .tempdir()
        .context("failed to make a temporary folder")?;
    let repository = folder.path().join("homeops");
    let stand_ins = StandIns::start().await?;
    let revision = repository::materialise(&repository, &stand_ins)?;
    data(&narrate::opening(&repository, &stand_ins))?;
    let data_directory = folder.path().join("data");
    let exit = serve(args, data_directory, &repository, &stand_ins, revision).await;
    if args.keep {
        say(&format!("left in place: {}", folder.keep().display()));
    }
    exit
}

/// Starts the runner, lets the session happen, and stops in order.
async fn serve(
    args: &Args,
    data_directory: PathBuf,
    repository: &Path,
    stand_ins: &StandIns,
    revision: String,
) -> anyhow::Result<Exit> {
    let interrupted = interrupted()?;
    let started = Instant::now();
    let runner = Runner::start(Options {
        isolation: Level::L1,
        repo: repository.display().to_string(),
        branch: None,
        root: String::new(),
        manifest: None,
        data: data_directory,
        listen: args.listen.unwrap_or_else(free_address),
        poll: POLL,
    });
    let runner = runner.await?;
    let (handle, address) = (runner.handle(), runner.address());
    let mut ended = Ok(Exit::Failed);
    let session = Session { handle, address, repository, stand_ins, revision, started };
    let stopped = runner.run(async {
        ended = tokio::select! {
            ended = session.run(args.once) => ended,
            () = interrupted => Ok(Exit::done_if(!args.once)),
        };
    });
    stopped.await?;
    ended
}

/// The default address, or one with a free port when somebody has it.
fn free_address() -> SocketAddr {
    let default = SocketAddr::from(DEFAULT_LISTEN);
    if TcpListener::bind(default).is_ok() {
        return default;
    }
    say(&format!("{default} is taken: listening on a free port instead"));
    SocketAddr::from((default.ip(), 0))
}

/// Resolves when somebody asks for the end: Ctrl-C or SIGTERM. From now on they no longer end the
/// process by themselves.
fn interrupted() -> std::io::Result<impl Future<Output = ()>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

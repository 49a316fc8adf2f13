//! What everybody outside of the engine speaks to.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use signalbox_core::alarm::Raised;
use signalbox_core::clock::Timestamp;
use signalbox_core::codes::Code;
use signalbox_core::health::{Tally, Thresholds};
use signalbox_core::run::{StepRecord, Trigger};
use signalbox_core::why::Why;
use signalbox_core::{DeploymentId, FlowName, RunId, WorkspaceName};
use signalbox_store::Store;
use signalbox_store::contract::{Deployment, RunSummary, RunView};
use signalbox_sync::hints::HintKind;

use crate::doors::Doors;
use crate::events::Subscription;
use crate::live::Live;
use crate::options::{Error, Options};
use crate::outcome::{Outcome, SyncReport};
use crate::rerun::RerunRequest;
use crate::runs::{StartRequest, Started};
use crate::scheduler::{NextSlot, ScheduleView, Which};
use crate::shared::Shared;
use crate::watch::Health;
use crate::webhooks::{Arrival, WebhookView};
use crate::{
    deployer, dispatcher, displaced, expiry, machine, retention, scheduler, watch, webhooks, why,
};

/// What an orderly stop may take beyond the grace that runs have.
const LAST: Duration = Duration::from_secs(5);

/// A running engine: whoever has it decides when it stops.
#[derive(Debug)]
pub struct Engine {
    handle: Handle,
    tasks: tokio::task::JoinSet<()>,
}

impl Engine {
    /// Starts everything: loads what is live, queues what was under way, and begins to look at the
    /// source. The engine takes work when this returns; the first sync may still be under way.
    pub async fn start(options: Options) -> Result<Self, Error> {
        let (doors, isolation) = machine::doors(&options.cell, options.isolation).await?;
        Self::launch(options, doors, isolation).await
    }

    /// The same through other doors than those of the machine.
    pub async fn start_through(options: Options, doors: Doors) -> Result<Self, Error> {
        Self::launch(options, doors, None).await
    }

    async fn launch(options: Options, doors: Doors, isolation: Option<u8>) -> Result<Self, Error> {
        let known = deployer::load(options.store.as_ref()).await?;
        let (shared, inbox) = Shared::open(options, doors, known)?;
        if let Some(level) = isolation {
            shared.set_isolation(level);
        }
        let handle = Handle { shared: Arc::clone(&shared) };
        let mut tasks = tokio::task::JoinSet::new();
        tasks.spawn(dispatcher::run(Arc::clone(&shared), inbox));
        tasks.spawn(scheduler::run(Arc::clone(&shared)));
        tasks.spawn(expiry::run(Arc::clone(&shared)));
        tasks.spawn(watch::run(Arc::clone(&shared)));
        tasks.spawn(displaced::run(Arc::clone(&shared)));
        tasks.spawn(retention::run(Arc::clone(&shared)));
        tasks.spawn(deployer::run(Arc::clone(&shared)));
        Ok(Self { handle, tasks })
    }

    /// The handle of this engine.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Stops in order: nothing new is taken, runs that are evaluated may end within the grace,
    /// the others go back to the queue, the store is closed.
    pub async fn stop(mut self) -> Result<(), Error> {
        self.handle.shared.stop();
        let all = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(self.handle.shared.grace + LAST, all).await.is_err() {
            // A disk or a repository that does not answer: what is not recorded is done again.
            tracing::warn!("not everything ended in time");
            self.tasks.abort_all();
        }
        self.handle.shared.store.close().await?;
        Ok(())
    }
}

/// A cheap handle of an engine.
#[derive(Debug, Clone)]
pub struct Handle {
    shared: Arc<Shared>,
}

impl Handle {
    /// What is live now.
    pub fn live(&self) -> Arc<Live> {
        self.shared.live.load_full()
    }

    /// The store, for reading views.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.shared.store
    }

    /// The present, as the engine sees it.
    pub fn now(&self) -> Timestamp {
        self.shared.clock.now()
    }

    /// The isolation level that cells reach on this machine, 0 to 3; `None` until one has started.
    pub fn isolation(&self) -> Option<u8> {
        self.shared.isolation()
    }

    /// How far the look at the source is: workspaces that are read and checked, of so many.
    pub fn looked_at(&self) -> (usize, usize) {
        let desk = &self.shared.desk;
        (desk.checked.load(Ordering::Relaxed), desk.to_check.load(Ordering::Relaxed))
    }

    /// Whether something is live, or a look at the source has ended: who asks before that asks too
    /// early.
    pub fn has_started(&self) -> bool {
        self.shared.desk.has_looked() || !self.live().info.is_empty()
    }

    /// Waits until [`Self::has_started`], at most so long; answers it.
    pub async fn started(&self, wait: Duration) -> bool {
        if self.has_started() {
            return true;
        }
        let mut done = self.shared.desk.done.subscribe();
        tokio::select! {
            biased;
            looked = done.wait_for(|(served, _)| *served > 0) => looked.is_ok(),
            () = tokio::time::sleep(wait) => false,
            () = self.stopping() => false,
        }
    }

    /// Whether the engine is stopping.
    pub fn is_stopping(&self) -> bool {
        self.shared.is_stopping()
    }

    /// Resolves when the engine begins to stop.
    pub async fn stopping(&self) {
        self.shared.stopping().await;
    }

    /// Ports of this machine that no effect may reach from now on: the runner's own.
    pub fn protect_port(&self, port: u16) {
        self.shared.egress.protect(port);
    }

    /// One run whole. The step of a flow that has only one leaves no record of its own: it is the
    /// run.
    pub async fn run(&self, id: &RunId) -> Result<RunView, Error> {
        let mut view = self.shared.store.run(id).await?;
        if let (true, Some(started_at)) = (view.steps.is_empty(), view.summary.started_at) {
            let pinned = match self.shared.revisions.get(view.summary.deployment).await {
                Err(error) if error.is_permanent() => None,
                known => Some(known?),
            };
            let flow = pinned.as_ref().and_then(|at| at.spec.flows.get(&view.summary.flow));
            let plan = flow.map(|flow| &flow.plan);
            if let Some([only]) = plan.map(|plan| plan.steps.as_slice()) {
                view.steps.push(only_step(&only.id, &view, started_at));
            }
        }
        Ok(view)
    }

    /// Accepts a run. When this returns, the run is durable.
    pub async fn start(&self, request: StartRequest) -> Result<Started, Error> {
        self.shared.start(request, Trigger::Api).await
    }

    /// Waits until a run has ended, at most for `timeout`. A run that another one continues ends
    /// with that one. Answers the run that ended last, `None` when it takes longer.
    pub async fn wait(&self, run: &RunId, timeout: Duration) -> Result<Option<RunId>, Error> {
        self.shared.wait_for_last(run, timeout).await
    }

    /// Why a run does not run; `None` when nothing keeps it.
    pub async fn why(&self, run: &RunView) -> Result<Option<Why>, Error> {
        why::of_run(&self.shared, run).await
    }

    /// Why the runs of a list do not run, one for each, in few words.
    pub async fn whys(&self, runs: &[RunSummary]) -> Result<Vec<Option<Why>>, Error> {
        why::of_list(&self.shared, runs).await
    }

    /// Asks for the end of a run, and of the runs that it waits for.
    pub async fn cancel(&self, run: &RunId) -> Result<(), Error> {
        self.shared.cancel(run).await
    }

    /// Starts an ended run again. A failed one is no dead letter any more.
    pub async fn rerun(&self, request: RerunRequest) -> Result<RunId, Error> {
        self.shared.rerun(request).await
    }

    /// Takes a failed run off the dead letters.
    pub async fn dismiss(&self, run: &RunId) -> Result<(), Error> {
        self.shared.dismiss(run).await
    }

    /// Hints that the source may have changed. With `wait`, the outcome of the look that began
    /// after the hint; `None` when it takes longer.
    pub async fn sync(
        &self,
        kind: HintKind,
        wait: Option<Duration>,
    ) -> Result<Option<SyncReport>, Error> {
        deployer::request(&self.shared, kind, wait).await
    }

    /// Makes an earlier deployment live again and pins the workspace to it: the one named, or the
    /// last good one before the live one.
    pub async fn rollback(
        &self,
        workspace: &WorkspaceName,
        to: Option<DeploymentId>,
    ) -> Result<Outcome, Error> {
        deployer::rollback(&self.shared, workspace, to).await
    }

    /// Lets a pinned workspace follow the source again.
    pub async fn unpin(&self, workspace: &WorkspaceName) -> Result<(), Error> {
        deployer::unpin(&self.shared, workspace).await
    }

    /// The deployments of a workspace, newest first.
    pub async fn deployments(
        &self,
        workspace: &WorkspaceName,
        limit: usize,
        before: Option<DeploymentId>,
    ) -> Result<Vec<Deployment>, Error> {
        Ok(self.shared.store.deployments(workspace, limit, before).await?)
    }

    /// How the runs of a workspace, or of one of its flows, ended lately.
    pub async fn health(
        &self,
        workspace: &WorkspaceName,
        flow: Option<&FlowName>,
    ) -> Result<Health, Error> {
        self.shared.health(workspace, flow).await
    }

    /// What is measured of every workspace that says what is healthy, at no cost for the store.
    pub fn measured(&self) -> BTreeMap<WorkspaceName, (Thresholds, Tally)> {
        self.shared.measured()
    }

    /// The alarms that are raised, by workspace and flow.
    pub fn alarms(&self) -> Vec<Raised> {
        self.shared.alarms()
    }

    /// Every schedule of live flows, by flow.
    pub async fn schedules(&self) -> Result<Vec<ScheduleView>, Error> {
        scheduler::list(&self.shared).await
    }

    /// The next slots over all schedules, soonest first.
    pub fn next_slots(&self, limit: usize) -> Vec<NextSlot> {
        scheduler::next_slots(&self.shared, limit)
    }

    /// A request at a webhook; `None` when nothing live has it.
    pub fn webhook(&self, workspace: &str, name: &str) -> Option<Arrival> {
        Arrival::find(&self.shared, workspace, name)
    }

    /// Every webhook of live workspaces, by workspace and name.
    pub async fn webhooks(&self) -> Result<Vec<WebhookView>, Error> {
        webhooks::list(&self.shared).await
    }

    /// Pauses schedules. Answers `false` when they were paused already.
    pub async fn pause(&self, which: Which) -> Result<bool, Error> {
        scheduler::pause(&self.shared, which).await
    }

    /// Lets paused schedules go on; slots of the pause are not owed. Answers `false` when they
    /// were not paused.
    pub async fn resume(&self, which: Which) -> Result<bool, Error> {
        scheduler::resume(&self.shared, which).await
    }

    /// Events from now on, or after the one with an id that a client saw last.
    pub fn events(&self, after: Option<u64>) -> Subscription {
        self.shared.events.subscribe(after)
    }

    /// Stores a secret's value, sealed.
    pub async fn set_secret(
        &self,
        workspace: &WorkspaceName,
        name: &str,
        value: &[u8],
    ) -> Result<(), Error> {
        self.known(workspace)?;
        if !signalbox_core::secret::is_name(name) {
            return Err(Error::refused(
                Code::InvalidName,
                format!("`{name}` cannot name a secret: A-Z, 0-9 and `_`, starting with a letter"),
            ));
        }
        self.shared.secrets.set(workspace, name, value).await
    }

    /// Forgets a secret.
    pub async fn delete_secret(&self, workspace: &WorkspaceName, name: &str) -> Result<(), Error> {
        if self.shared.store.delete_secret(workspace, name).await? {
            Ok(())
        } else {
            Err(Error::refused(Code::NotFound, format!("`{workspace}` has no secret `{name}`")))
        }
    }

    /// Names of a workspace's secrets: those set (with when) and those declared but not set.
    pub async fn secrets(
        &self,
        workspace: &WorkspaceName,
    ) -> Result<Vec<(String, Option<Timestamp>)>, Error> {
        let mut all = BTreeMap::new();
        if let Some((spec, _)) = self.live().find(workspace) {
            all.extend(spec.secrets.iter().map(|name| (name.clone(), None)));
        } else {
            self.known(workspace)?;
        }
        let set = self.shared.store.secrets(workspace).await?;
        all.extend(set.into_iter().map(|(name, at)| (name, Some(at))));
        Ok(all.into_iter().collect())
    }

    /// Refuses a workspace that neither is live nor stands in the root manifest.
    fn known(&self, workspace: &WorkspaceName) -> Result<(), Error> {
        let live = self.live();
        if live.info.contains_key(workspace) || live.last.contains_key(workspace) {
            return Ok(());
        }
        Err(Error::refused(Code::UnknownWorkspace, format!("there is no workspace `{workspace}`")))
    }
}

/// The record of a run's only step.
fn only_step(id: &str, view: &RunView, started_at: Timestamp) -> StepRecord {
    let ended_at = view.summary.ended_at.unwrap_or(started_at);
    StepRecord {
        id: id.to_owned(),
        state: view.summary.state,
        attempt: view.summary.attempt,
        started_at,
        duration_us: ended_at.0.saturating_sub(started_at.0),
        error: view.summary.error.as_ref().map(|error| error.message.clone()),
    }
}

//! Runs that somebody asks for: accepted, waited for, cancelled, started again.

use std::sync::Arc;
use std::time::Duration;

use signalbox_core::catalog::Workspace;
use signalbox_core::clock::Timestamp;
use signalbox_core::codes::Code;
use signalbox_core::ids::FlowRef;
use signalbox_core::inputs::{Fault, list};
use signalbox_core::journal::{Chunk, Failure, Outcome};
use signalbox_core::run::{NewRun, State, Trigger};
use signalbox_core::{DeploymentId, Digest, RunId, Value, value};
use signalbox_store::contract::{Accept, Accepted, IdempotencyKey, RunView, Write, Written};

use tokio::sync::oneshot;

use crate::border::MAX_VALUE;
use crate::deadline::deadline_of;
use crate::events::EventKind;
use crate::live::LiveInfo;
use crate::options::{Error, Refused};
use crate::random;
use crate::recorder;
use crate::shared::{Follows, Shared};
use crate::way::{self, Station};

/// How often, and how far apart, a run is tried to be cancelled that is between two hands.
const CANCEL_TRIES: u32 = 500;
/// A cancelled run ends within this: it is asked, and killed with its cell if it does not listen.
const CANCEL_WITHIN: Duration = Duration::from_secs(2);
const CANCEL_AGAIN: Duration = Duration::from_millis(10);

/// A run that somebody asks for.
#[derive(Debug, Clone, PartialEq)]
pub struct StartRequest {
    /// The flow.
    pub flow: FlowRef,
    /// Its inputs, a map.
    pub inputs: Value,
    /// The same key with the same inputs starts one run only.
    pub idempotency_key: Option<String>,
}

/// What a [`StartRequest`] came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Started {
    /// The run.
    pub run: RunId,
    /// Whether it was started before, under the same key.
    pub known: bool,
}

/// The refusal of inputs.
pub(crate) fn unfit(flow: &FlowRef, faults: Vec<Fault>) -> Error {
    let message = format!("`{flow}` does not take these inputs: {}", list(&faults));
    Error::Refused(Refused { code: Code::InvalidInputs, message, faults })
}

impl Shared {
    /// Random bytes.
    pub(crate) fn random<const N: usize>(&self) -> Result<[u8; N], Error> {
        random::bytes(self.doors.random.as_ref())
            .map_err(|source| Error::Host { what: "draw random bytes".to_owned(), source })
    }

    /// A number drawn evenly from 0 up to 1; a half when nothing can be drawn.
    pub(crate) fn chance(&self) -> f64 {
        let drawn = self.random().map(u32::from_le_bytes);
        drawn.map_or(0.5, |drawn| f64::from(drawn) / f64::from(u32::MAX))
    }

    /// A new run id.
    pub(crate) fn new_id(&self, now: Timestamp) -> Result<RunId, Error> {
        Ok(RunId::from_parts(now.millis(), self.random()?))
    }

    /// Checks a request against the live catalog and accepts it.
    pub(crate) async fn start(
        &self,
        request: StartRequest,
        trigger: Trigger,
    ) -> Result<Started, Error> {
        let live = self.live.load();
        let FlowRef { workspace, flow: name } = &request.flow;
        let Some((spec, info)) = live.find(workspace) else {
            return Err(Error::refused(
                Code::UnknownWorkspace,
                format!("workspace `{workspace}` is not live"),
            ));
        };
        let Some(flow) = spec.flows.get(name) else {
            let near = signalbox_core::diagnostic::did_you_mean(
                name.as_str(),
                spec.flows.keys().map(AsRef::as_ref),
            );
            let hint = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
            let message = format!("`{workspace}` has no flow `{name}`{hint}");
            return Err(Error::refused(Code::UnknownFlow, message));
        };
        let inputs =
            flow.inputs.apply(&request.inputs).map_err(|faults| unfit(&request.flow, faults))?;
        let run = self.new_run(request.flow.clone(), info.deployment, trigger, &inputs)?;
        let idempotency = match request.idempotency_key {
            Some(key) if key.is_empty() || key.chars().count() > 200 => {
                let message = "an idempotency key has 1 to 200 characters";
                return Err(Error::refused(Code::BadRequest, message));
            }
            key => key.map(|key| IdempotencyKey { key, inputs: Digest::of(&run.inputs) }),
        };
        let queue_bound = live.grants(workspace).limits.queue;
        drop(live);
        self.accept(Accept { run, slot: None, idempotency, queue_bound }, Chunk::default()).await
    }

    /// A run with checked inputs, pinned to a deployment.
    pub(crate) fn new_run(
        &self,
        flow: FlowRef,
        deployment: DeploymentId,
        trigger: Trigger,
        inputs: &Value,
    ) -> Result<NewRun, Error> {
        if self.is_stopping() {
            return Err(Error::Stopping);
        }
        let spec = self.spec_of(&flow, deployment);
        let spec = spec.as_deref();
        let turn = spec.and_then(|spec| spec.flows.get(&flow.flow)).map(|f| f.turns.turn(inputs));
        let inputs = value::encode(inputs);
        if inputs.len() > MAX_VALUE {
            let message = format!("inputs of {} bytes are over the bound of 1 MiB", inputs.len());
            return Err(Error::refused(Code::TooLarge, message));
        }
        let queued_at = self.clock.now();
        let deadline = spec.and_then(|spec| deadline_of(spec, &flow.flow, queued_at));
        Ok(NewRun {
            deadline,
            id: self.new_id(queued_at)?,
            workspace: flow.workspace,
            flow: flow.flow,
            deployment,
            trigger,
            inputs,
            chain: Vec::new(),
            queued_at,
            turn: turn.unwrap_or_default(),
        })
    }

    /// The workspace of a flow at a deployment that is live, or in memory because it was asked for.
    fn spec_of(&self, flow: &FlowRef, deployment: DeploymentId) -> Option<Arc<Workspace>> {
        let live = self.live.load();
        let is_it = |(_, info): &(&Arc<Workspace>, &LiveInfo)| info.deployment == deployment;
        let live = live.find(&flow.workspace).filter(is_it).map(|(spec, _)| Arc::clone(spec));
        live.or_else(|| self.revisions.find(deployment).map(|pinned| Arc::clone(&pinned.spec)))
    }

    /// Accepts one run, whose record begins with a chunk, and says what became of it.
    pub(crate) async fn accept(&self, accept: Accept, record: Chunk) -> Result<Started, Error> {
        let run = accept.run.id.clone();
        let (workspace, flow) = (accept.run.workspace.clone(), accept.run.flow.clone());
        let at = accept.run.queued_at;
        let bound = accept.queue_bound;
        let accepted = if record.is_empty() {
            self.store.accept(vec![accept]).await?.into_iter().next()
        } else {
            Some(self.store.accept_with(accept, record).await?)
        };
        match accepted {
            Some(accepted @ (Accepted::Queued | Accepted::Skipped)) => {
                let queued = accepted == Accepted::Queued;
                way::passed(&run, Station::Accepted);
                let state = if queued { State::Queued } else { State::Skipped };
                let kind = EventKind::Run { run: run.clone(), flow, state };
                self.events.publish(at, workspace, kind);
                Ok(Started { run, known: false })
            }
            Some(Accepted::Known(run)) => Ok(Started { run, known: true }),
            Some(Accepted::Conflict(run)) => Err(Error::refused(
                Code::IdempotencyConflict,
                format!("this idempotency key was used with other inputs, for run {run}"),
            )),
            Some(Accepted::Full) => Err(Error::refused(
                Code::QueueFull,
                format!(
                    "`{workspace}` has {bound} runs waiting, which is its bound (`limits.queue`)"
                ),
            )),
            Some(Accepted::Stale | Accepted::Overlaps(_)) | None => {
                Err(Error::refused(Code::Internal, "the store gave no answer for an accepted run"))
            }
        }
    }

    /// Accepts runs of schedules: when this returns, their slots have fired, now or before, or are
    /// recorded as skipped. Answers those that have not because an earlier run is to be cancelled
    /// first, with that run.
    pub(crate) async fn accept_slots(
        &self,
        batch: Vec<Accept>,
    ) -> Result<Vec<(Accept, RunId)>, Error> {
        let accepted = self.store.accept(batch.clone()).await?;
        let mut overlaps = Vec::new();
        for (accept, accepted) in batch.into_iter().zip(accepted) {
            let run = &accept.run;
            let state = match accepted {
                Accepted::Queued => State::Queued,
                Accepted::Full | Accepted::Skipped => State::Skipped,
                Accepted::Overlaps(earlier) => {
                    overlaps.push((accept, earlier));
                    continue;
                }
                Accepted::Stale | Accepted::Known(_) | Accepted::Conflict(_) => continue,
            };
            let kind = EventKind::Run { run: run.id.clone(), flow: run.flow.clone(), state };
            self.events.publish(run.queued_at, run.workspace.clone(), kind);
        }
        Ok(overlaps)
    }

    // --- ending ---

    /// Waits until a run has ended, and says what follows; `None` when it takes longer.
    async fn wait(&self, run: &RunId, timeout: Duration) -> Result<Option<Follows>, Error> {
        let mut waiter = Waiter { shared: self, run, end: Some(self.wait_for_end(run)) };
        // Looked at after the waiter is in place: an end in between is not missed. Of a run that
        // is evaluated nothing has to be read.
        if !self.store.is_claimed(run) {
            let view = self.store.run(run).await?;
            if view.summary.state.is_terminal() {
                return Ok(Some(view.successor.map_or(Follows::Nothing, Follows::Run)));
            }
        }
        let Some(end) = &mut waiter.end else { return Ok(None) };
        tokio::select! {
            biased;
            follows = end => Ok(follows.ok()),
            () = tokio::time::sleep(timeout) => Ok(None),
            () = self.stopping() => Ok(None),
        }
    }

    /// Waits for the end of a run and of all that continue it. Answers the last of them, if it has
    /// ended in time.
    pub(crate) async fn wait_for_last(
        &self,
        run: &RunId,
        timeout: Duration,
    ) -> Result<Option<RunId>, Error> {
        let began = tokio::time::Instant::now();
        let mut last = run.clone();
        loop {
            let follows = self.wait(&last, timeout.saturating_sub(began.elapsed())).await?;
            let successor = match follows {
                None => return Ok(None),
                Some(Follows::Nothing) => None,
                Some(Follows::Run(successor)) => Some(successor),
                Some(Follows::Unknown) => self.store.run(&last).await?.successor,
            };
            match successor {
                Some(successor) => last = successor,
                None => return Ok(Some(last)),
            }
        }
    }

    pub(crate) async fn cancel(&self, run: &RunId) -> Result<(), Error> {
        let view = self.store.run(run).await?;
        if view.summary.state.is_terminal() {
            return Err(Error::refused(
                Code::Conflict,
                format!("run {run} has ended: it {}", view.summary.state.as_str()),
            ));
        }
        let mut pending = vec![(run.clone(), view)];
        while let Some((run, view)) = pending.pop() {
            self.cancel_one(&run, &view).await?;
            // Itself, too: it may have gone on as another run before it heard of this.
            for run in view.waits_for.iter().chain([&run]) {
                let (last, view) = self.last(run).await?;
                if !view.summary.state.is_terminal() {
                    pending.push((last, view));
                }
            }
        }
        Ok(())
    }

    /// The last of the runs that continue one; the run itself when none does.
    async fn last(&self, run: &RunId) -> Result<(RunId, RunView), Error> {
        let mut last = run.clone();
        loop {
            let view = self.store.run(&last).await?;
            match view.successor.clone() {
                Some(successor) => last = successor,
                None => return Ok((last, view)),
            }
        }
    }

    async fn cancel_one(&self, run: &RunId, view: &RunView) -> Result<(), Error> {
        let at = self.clock.now();
        // A run may be claimed, released or suspended between two looks: each try settles it in
        // the state that it is in then.
        for _ in 0..CANCEL_TRIES {
            let failure = Failure::permanent(Code::Cancelled, "the called run was cancelled");
            let write = Write::Cancel { run: run.clone(), at, answer: Outcome::Failed(failure) };
            match self.store.commit(vec![write]).await?.into_iter().next() {
                Some(Written::Claimed) => {
                    // Between two hands nobody has it; soon somebody will.
                    match self.find_link(run) {
                        Some(link) if link.cancel(run).await => {
                            // Whoever is told that it is cancelled can rely on it.
                            self.wait(run, CANCEL_WITHIN).await?;
                            return Ok(());
                        }
                        Some(_) | None => tokio::time::sleep(CANCEL_AGAIN).await,
                    }
                }
                Some(written @ (Written::Done(_) | Written::Answered(_))) => {
                    let kind = EventKind::Run {
                        run: run.clone(),
                        flow: view.summary.flow.clone(),
                        state: State::Cancelled,
                    };
                    self.events.publish(at, view.summary.workspace.clone(), kind);
                    self.ended(run, &Follows::Nothing);
                    recorder::route_all(self, written).await;
                    return Ok(());
                }
                Some(
                    Written::Woken
                    | Written::Suspended { .. }
                    | Written::Fenced
                    | Written::Rejected,
                )
                | None => return Ok(()),
            }
        }
        Err(Error::refused(Code::Conflict, format!("run {run} could not be reached; try again")))
    }
}

/// Somebody who waits for the end of a run, and may leave at any time.
struct Waiter<'a> {
    shared: &'a Shared,
    run: &'a RunId,
    end: Option<oneshot::Receiver<Follows>>,
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        self.end = None;
        self.shared.forget_waiters(self.run);
    }
}

//! What the parts of the engine share.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use signalbox_core::clock::{Clock, Timestamp};
use signalbox_core::codes::Code;
use signalbox_core::ids::FlowRef;
use signalbox_core::journal::{Failure, Outcome};
use signalbox_core::run::{NewRun, State, Trigger};
use signalbox_core::{DeploymentId, Digest, RunId, Value, value};
use signalbox_store::Store;
use signalbox_store::contract::{Accept, Accepted, IdempotencyKey, RunView, Slot, Write, Written};
use tokio::sync::{Notify, mpsc, oneshot, watch};

use crate::broker::Broker;
use crate::cells::{Link, Spawner};
use crate::deployer::Desk;
use crate::dispatcher::Message;
use crate::effects::Egress;
use crate::events::{EventKind, Events};
use crate::handle::{StartRequest, Started};
use crate::live::Live;
use crate::options::{Error, Options, Refused};
use crate::revisions::Revisions;
use crate::secrets::Secrets;
use crate::waits::Waits;

/// Largest inputs of a run: DESIGN §6.7.
const MAX_INPUTS: usize = 1 << 20;
/// An isolation level that is not known yet.
const UNKNOWN: u8 = u8::MAX;

/// What the parts of the engine share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) source: Arc<signalbox_sync::Source>,
    pub(crate) source_name: String,
    pub(crate) manifest: Option<PathBuf>,
    pub(crate) cell: (PathBuf, Vec<String>),
    pub(crate) poll: Duration,
    pub(crate) grace: Duration,
    pub(crate) live: ArcSwap<Live>,
    pub(crate) revisions: Revisions,
    pub(crate) secrets: Secrets,
    pub(crate) egress: Egress,
    pub(crate) events: Events,
    pub(crate) broker: Broker,
    pub(crate) desk: Desk,
    pub(crate) waits: Waits,
    pub(crate) spawner: Spawner,
    /// Notified when what is live changed.
    pub(crate) swapped: Notify,
    pub(crate) dispatcher: mpsc::Sender<Message>,
    active: Mutex<HashMap<RunId, Link>>,
    waiters: Mutex<HashMap<RunId, Vec<oneshot::Sender<()>>>>,
    stop: watch::Sender<bool>,
    isolation: AtomicU8,
}

impl Shared {
    /// Opens what an engine works with; the receiver is the dispatcher's.
    pub(crate) async fn open(
        options: Options,
    ) -> Result<(Arc<Self>, mpsc::Receiver<Message>), Error> {
        let secrets =
            Secrets::open(&options.data, Arc::clone(&options.store), Arc::clone(&options.clock))?;
        let (dispatcher, inbox) = mpsc::channel(4096);
        let live = crate::deployer::load(options.store.as_ref()).await?;
        let shared = Self {
            revisions: Revisions::new(Arc::clone(&options.store), &live),
            live: ArcSwap::from_pointee(live.live),
            secrets,
            egress: Egress::new(&options.own_ports)?,
            events: Events::starting_at(options.clock.now()),
            broker: Broker::default(),
            desk: Desk::default(),
            waits: Waits::default(),
            spawner: Spawner::start()?,
            swapped: Notify::new(),
            dispatcher,
            active: Mutex::default(),
            waiters: Mutex::default(),
            stop: watch::Sender::new(false),
            isolation: AtomicU8::new(UNKNOWN),
            store: options.store,
            clock: options.clock,
            source: options.source,
            source_name: options.source_name,
            manifest: options.manifest,
            cell: options.cell,
            poll: options.poll,
            grace: options.grace,
        };
        Ok((Arc::new(shared), inbox))
    }

    pub(crate) fn stop(&self) {
        self.stop.send_replace(true);
    }

    pub(crate) fn is_stopping(&self) -> bool {
        *self.stop.borrow()
    }

    pub(crate) async fn stopping(&self) {
        // It fails only when the sender is gone, and the sender is ours.
        let mut receiver = self.stop.subscribe();
        drop(receiver.wait_for(|stopping| *stopping).await);
    }

    pub(crate) fn isolation(&self) -> Option<u8> {
        Some(self.isolation.load(Ordering::Relaxed)).filter(|level| *level != UNKNOWN)
    }

    pub(crate) fn set_isolation(&self, level: u8) {
        self.isolation.store(level, Ordering::Relaxed);
    }

    /// A new run id.
    pub(crate) fn new_id(&self, now: Timestamp) -> Result<RunId, Error> {
        let mut random = [0; 10];
        getrandom::fill(&mut random).map_err(|error| Error::Host {
            what: "draw random bytes".to_owned(),
            source: std::io::Error::other(error.to_string()),
        })?;
        Ok(RunId::from_parts(now.millis(), random))
    }

    // --- runs that cells have ---

    pub(crate) fn link(&self, run: RunId, link: Link) {
        self.active.lock().unwrap_or_else(PoisonError::into_inner).insert(run, link);
    }

    pub(crate) fn unlink(&self, run: &RunId) {
        self.active.lock().unwrap_or_else(PoisonError::into_inner).remove(run);
    }

    pub(crate) fn find_link(&self, run: &RunId) -> Option<Link> {
        self.active.lock().unwrap_or_else(PoisonError::into_inner).get(run).cloned()
    }

    // --- accepting ---

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
        let inputs = flow.inputs.apply(&request.inputs).map_err(|faults| {
            let all: Vec<_> = faults
                .iter()
                .map(|fault| format!("{} {}", fault.input, fault.message).trim().to_owned())
                .collect();
            Error::Refused(Refused {
                code: Code::InvalidInputs,
                message: format!(
                    "`{}` does not take these inputs: {}",
                    request.flow,
                    all.join("; ")
                ),
                faults,
            })
        })?;
        let run = self.new_run(request.flow.clone(), info.deployment, trigger, &inputs)?;
        let idempotency = match request.idempotency_key {
            Some(key) if key.is_empty() || key.chars().count() > 200 => {
                let message = "an idempotency key has 1 to 200 characters";
                return Err(Error::refused(Code::BadRequest, message));
            }
            key => key.map(|key| IdempotencyKey { key, inputs: Digest::of(&run.inputs) }),
        };
        let queue_bound = spec.grants.limits.queue;
        drop(live);
        self.accept(Accept { run, slot: None, idempotency, queue_bound }).await
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
        let inputs = value::encode(inputs);
        if inputs.len() > MAX_INPUTS {
            let message = format!("inputs of {} bytes are over the bound of 1 MiB", inputs.len());
            return Err(Error::refused(Code::TooLarge, message));
        }
        let queued_at = self.clock.now();
        Ok(NewRun {
            id: self.new_id(queued_at)?,
            workspace: flow.workspace,
            flow: flow.flow,
            deployment,
            trigger,
            inputs,
            chain: Vec::new(),
            queued_at,
        })
    }

    /// Accepts one run and says what became of it.
    async fn accept(&self, accept: Accept) -> Result<Started, Error> {
        let run = accept.run.id.clone();
        let (workspace, flow) = (accept.run.workspace.clone(), accept.run.flow.clone());
        let at = accept.run.queued_at;
        let bound = accept.queue_bound;
        let accepted = self.store.accept(vec![accept]).await?.into_iter().next();
        match accepted {
            Some(Accepted::Queued) => {
                let kind = EventKind::Run { run: run.clone(), flow, state: State::Queued };
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
                format!("`{workspace}` has {bound} runs waiting, which is its bound"),
            )),
            Some(Accepted::Stale) | None => {
                Err(Error::refused(Code::Internal, "the store gave no answer for an accepted run"))
            }
        }
    }

    /// Accepts runs of schedules. Answers which slots are settled: fired now, before, or skipped.
    pub(crate) async fn accept_slots(&self, batch: Vec<(NewRun, Slot, u32)>) -> Result<(), Error> {
        let runs: Vec<_> = batch.iter().map(|(run, ..)| run.clone()).collect();
        let batch = batch
            .into_iter()
            .map(|(run, slot, queue_bound)| Accept {
                run,
                slot: Some(slot),
                idempotency: None,
                queue_bound,
            })
            .collect();
        let accepted = self.store.accept(batch).await?;
        for (run, accepted) in runs.into_iter().zip(accepted) {
            let state = match accepted {
                Accepted::Queued => State::Queued,
                Accepted::Full => State::Skipped,
                Accepted::Stale | Accepted::Known(_) | Accepted::Conflict(_) => continue,
            };
            let kind = EventKind::Run { run: run.id, flow: run.flow, state };
            self.events.publish(run.queued_at, run.workspace, kind);
        }
        Ok(())
    }

    // --- ending ---

    /// Says to everybody who waits that a run has ended.
    pub(crate) fn ended(&self, run: &RunId) {
        let waiting = self.waiters.lock().unwrap_or_else(PoisonError::into_inner).remove(run);
        for waiter in waiting.into_iter().flatten() {
            // Whoever waited may have gone.
            waiter.send(()).ok();
        }
    }

    pub(crate) async fn wait(&self, run: &RunId, timeout: Duration) -> Result<bool, Error> {
        let (sender, receiver) = oneshot::channel();
        self.waiters
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .entry(run.clone())
            .or_default()
            .push(sender);
        // Looked at after the waiter is in place: an end in between is not missed.
        let settled = match self.store.run(run).await {
            Ok(view) => view.summary.state.is_terminal().then_some(Ok(true)),
            Err(error) => Some(Err(error)),
        };
        if let Some(answer) = settled {
            drop(receiver);
            self.forget_waiters(run);
            return Ok(answer?);
        }
        tokio::select! {
            ended = receiver => Ok(ended.is_ok()),
            () = tokio::time::sleep(timeout) => {
                self.forget_waiters(run);
                Ok(false)
            }
            () = self.stopping() => Ok(false),
        }
    }

    /// Drops waiters whose other end is gone.
    fn forget_waiters(&self, run: &RunId) {
        let mut waiters = self.waiters.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(list) = waiters.get_mut(run) {
            list.retain(|waiter| !waiter.is_closed());
            if list.is_empty() {
                waiters.remove(run);
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
            for callee in &view.waits_for {
                let view = self.store.run(callee).await?;
                if !view.summary.state.is_terminal() {
                    pending.push((callee.clone(), view));
                }
            }
        }
        Ok(())
    }

    async fn cancel_one(&self, run: &RunId, view: &RunView) -> Result<(), Error> {
        let at = self.clock.now();
        // A run may be claimed, released or suspended between two looks: each try settles it in
        // the state that it is in then.
        for _ in 0..100 {
            let failure = Failure::permanent(Code::Cancelled, "the called run was cancelled");
            let write = Write::Cancel { run: run.clone(), at, answer: Outcome::Failed(failure) };
            match self.store.commit(vec![write]).await?.into_iter().next() {
                Some(Written::Claimed) => match self.find_link(run) {
                    Some(link) => return Ok(link.cancel(run).await),
                    None => tokio::task::yield_now().await,
                },
                Some(Written::Done(_) | Written::Answered(_)) => {
                    let kind = EventKind::Run {
                        run: run.clone(),
                        flow: view.summary.flow.clone(),
                        state: State::Cancelled,
                    };
                    self.events.publish(at, view.summary.workspace.clone(), kind);
                    self.ended(run);
                    return Ok(());
                }
                Some(Written::Woken | Written::Fenced | Written::Rejected) | None => return Ok(()),
            }
        }
        Err(Error::refused(Code::Conflict, format!("run {run} could not be reached; try again")))
    }

    pub(crate) async fn rerun(&self, of: &RunId, newest: bool) -> Result<RunId, Error> {
        let view = self.store.run(of).await?;
        if !view.summary.state.is_terminal() {
            let message = format!("run {of} has not ended: it is {}", view.summary.state.as_str());
            return Err(Error::refused(Code::Conflict, message));
        }
        let inputs = value::decode(&view.inputs)
            .map_err(|error| signalbox_store::Error::Corrupt(error.to_string()))?;
        let flow = FlowRef { workspace: view.summary.workspace, flow: view.summary.flow };
        let trigger = Trigger::Retry { of: of.clone() };
        if newest {
            let request = StartRequest { flow, inputs, idempotency_key: None };
            return Ok(self.start(request, trigger).await?.run);
        }
        let live = self.live.load();
        let Some((spec, _)) = live.find(&flow.workspace) else {
            let message = format!("workspace `{}` is not live", flow.workspace);
            return Err(Error::refused(Code::UnknownWorkspace, message));
        };
        let queue_bound = spec.grants.limits.queue;
        drop(live);
        let run = self.new_run(flow, view.summary.deployment, trigger, &inputs)?;
        let accept = Accept { run, slot: None, idempotency: None, queue_bound };
        Ok(self.accept(accept).await?.run)
    }
}

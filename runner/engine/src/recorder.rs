//! Writes what a cell's runs did, in order, in batches; and tells everybody who must know.

use std::sync::Arc;
use std::time::Duration;

use signalbox_core::clock::Timestamp;
use signalbox_core::health::Ended;
use signalbox_core::journal::Outcome;
use signalbox_core::run::{NewRun, State};
use signalbox_core::{FlowName, RunId, WorkspaceName};
use signalbox_store::contract::{Answer, Handling, Internal, InternalEffect, Write, Written};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::backlog::Backlog;
use crate::events::EventKind;
use crate::link::{Command, Ticket};
use crate::shared::{Follows, Shared};
use crate::way::{self, Station};

/// Jobs that may wait: far more than a cell's runs can have under way at once.
const INBOX: usize = 1024;
/// Most bytes that are given to the store at once.
const BYTES: usize = 64 << 10;
/// Between two tries of a commit that failed, at first and at most.
const RETRY: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));

/// One write and what follows from it.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) of: Arc<RunRef>,
    pub(crate) write: Write,
    pub(crate) then: Then,
}

/// The way to a recorder, and what is on it.
#[derive(Debug)]
pub(crate) struct Jobs {
    sender: mpsc::Sender<Job>,
    pub(crate) backlog: Backlog,
}

impl Jobs {
    /// Puts a job in line. Answers whether there is a recorder.
    pub(crate) async fn send(&self, job: Job) -> bool {
        self.backlog.add(job.write.weight());
        self.sender.send(job).await.is_ok()
    }
}

/// What follows from a write once it is durable.
#[derive(Debug)]
pub(crate) enum Then {
    /// Nothing.
    Nothing,
    /// The driver may perform the effect that waited for it.
    Durable(Ticket),
    /// The cell gets this outcome, or the one that the store gives.
    Outcome(Ticket, Option<Outcome>),
    /// The run is in a new state, or in the one that the store says.
    State(State),
    /// The run has ended, and this one continues it.
    Continued(RunId),
}

/// Starts the recorder of a cell. It ends when every sender of jobs is gone and what they sent is
/// durable.
pub(crate) fn spawn(shared: Arc<Shared>, driver: &mpsc::Sender<Command>) -> (Jobs, JoinHandle<()>) {
    let (jobs, inbox) = mpsc::channel(INBOX);
    let jobs = Jobs { sender: jobs, backlog: Backlog::default() };
    let recorder = run(shared, driver.downgrade(), inbox, jobs.backlog.clone());
    (jobs, tokio::spawn(recorder))
}

async fn run(
    shared: Arc<Shared>,
    driver: mpsc::WeakSender<Command>,
    mut inbox: mpsc::Receiver<Job>,
    backlog: Backlog,
) {
    let (mut waiting, mut batch) = (None, Batch::default());
    while let Some((jobs, bytes)) = next(&mut inbox, &mut waiting, batch.most).await {
        let (count, began) = (jobs.len(), Instant::now());
        let (writes, follow): (Vec<_>, Vec<_>) = jobs
            .into_iter()
            .map(|job| {
                let notes = Notes::of(&job.write);
                (job.write, (job.of, job.then, notes))
            })
            .unzip();
        let written = commit(&shared, writes).await;
        batch.took(count, began.elapsed());
        backlog.remove(bytes);
        let Some(written) = written else { return };
        for ((of, then, notes), written) in follow.into_iter().zip(written) {
            notes.publish(&shared, &of, &written);
            follow_up(&shared, &driver, then, &of, written).await;
        }
    }
}

/// How many writes are given to the store at once. When commits take long because others write too, or
/// the processors are wanted elsewhere, it is few: the store lets others' in between. When they are
/// quick, many writes share one.
#[derive(Debug)]
struct Batch {
    most: usize,
}

impl Batch {
    /// Fewest and most.
    const BOUNDS: (usize, usize) = (8, 64);
    /// A commit that takes longer takes long: a few times what a disk takes.
    const LONG: Duration = Duration::from_millis(2);

    /// So many were written, and it took so long.
    fn took(&mut self, writes: usize, time: Duration) {
        let (fewest, most) = Self::BOUNDS;
        if time > Self::LONG {
            self.most = (self.most / 2).max(fewest);
        } else if writes == self.most {
            self.most = (self.most * 2).min(most);
        }
    }
}

impl Default for Batch {
    fn default() -> Self {
        Self { most: Self::BOUNDS.0 }
    }
}

/// The jobs that are recorded next, and how many bytes they hold; `None` when there will be no more.
/// What does not fit any more waits for the next time.
async fn next(
    inbox: &mut mpsc::Receiver<Job>,
    waiting: &mut Option<Job>,
    most: usize,
) -> Option<(Vec<Job>, usize)> {
    if waiting.is_none() {
        *waiting = Some(inbox.recv().await?);
    }
    let (mut jobs, mut bytes) = (Vec::new(), 0);
    while jobs.len() < most {
        let Some(job) = waiting.take().or_else(|| inbox.try_recv().ok()) else { break };
        let more = job.write.weight();
        if bytes + more > BYTES && !jobs.is_empty() {
            *waiting = Some(job);
            break;
        }
        bytes += more;
        jobs.push(job);
    }
    Some((jobs, bytes))
}

/// Commits, again and again until it works: what a cell did is not thrown away because a disk is
/// full. `None` when the store is closed, or when the engine stops and its grace is over: what is
/// not recorded then is evaluated again after the next start.
pub(crate) async fn commit(shared: &Shared, writes: Vec<Write>) -> Option<Vec<Written>> {
    let mut pause = RETRY.0;
    let mut stopping: Option<Instant> = None;
    loop {
        if shared.is_stopping()
            && stopping.get_or_insert_with(Instant::now).elapsed() > shared.grace
        {
            return None;
        }
        match shared.store.commit(writes.clone()).await {
            Ok(written) => return Some(written),
            Err(signalbox_store::Error::Closed) => return None,
            Err(error) => {
                tracing::error!(%error, writes = writes.len(), "cannot record runs; trying again");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(RETRY.1);
            }
        }
    }
}

async fn follow_up(
    shared: &Shared,
    driver: &mpsc::WeakSender<Command>,
    then: Then,
    of: &RunRef,
    written: Written,
) {
    let fenced = matches!(written, Written::Fenced | Written::Claimed | Written::Rejected);
    let command = match (then, written) {
        (Then::Durable(ticket) | Then::Outcome(ticket, _), _) if fenced => {
            Command::Fenced { run: ticket.run }
        }
        (Then::Durable(ticket), _) => Command::Durable { ticket },
        (Then::Outcome(ticket, given), Written::Done(stored)) => {
            let Some(outcome) = stored.or(given) else { return };
            Command::Outcome { ticket, outcome, recorded: true }
        }
        (Then::State(state), written) => {
            return settled(shared, of, (state, Follows::Nothing), written).await;
        }
        (Then::Continued(by), written) => {
            let state = (State::Succeeded, Follows::Run(by));
            return settled(shared, of, state, written).await;
        }
        (Then::Nothing | Then::Outcome(..), _) => return,
    };
    if let Some(driver) = driver.upgrade() {
        // A driver that is gone has given its runs back.
        drop(driver.send(command).await);
    }
}

/// Tells who waits for a run that it is in a new state.
async fn settled(
    shared: &Shared,
    of: &RunRef,
    (state, follows): (State, Follows),
    written: Written,
) {
    let (run, flow) = (of.run.clone(), of.flow.clone());
    let kind = match written {
        Written::Rejected if state.is_terminal() => {
            // It has ended: by somebody else, or by this write, whose first answer was lost.
            return shared.ended(&of.run, &Follows::Unknown);
        }
        Written::Fenced | Written::Claimed | Written::Rejected => return,
        Written::Suspended { reason, until } => EventKind::Suspended { run, flow, reason, until },
        Written::Woken => EventKind::Run { run, flow, state: State::Queued },
        Written::Done(_) | Written::Answered(_) => EventKind::Run { run, flow, state },
    };
    shared.events.publish(shared.clock.now(), of.workspace.clone(), kind);
    if state.is_terminal() {
        way::passed(&of.run, Station::Recorded);
        shared.ended(&of.run, &follows);
    }
    route_all(shared, written).await;
}

/// Brings the answers that a write gave to whoever waits for them.
pub(crate) async fn route_all(shared: &Shared, written: Written) {
    if let Written::Answered(answers) = written {
        for answer in answers {
            route(shared, answer).await;
        }
    }
}

/// Brings an answer to the cell that waits for it. A suspended run finds it in its journal.
pub(crate) async fn route(shared: &Shared, answer: Answer) {
    if answer.woken {
        let kind = EventKind::Run { run: answer.run, flow: answer.flow, state: State::Queued };
        return shared.events.publish(shared.clock.now(), answer.workspace, kind);
    }
    if let Some(link) = shared.find_link(&answer.run) {
        link.answer(answer.run, answer.key, answer.outcome).await;
    }
}

/// A run with what its events say of it.
#[derive(Debug)]
pub(crate) struct RunRef {
    pub(crate) run: RunId,
    pub(crate) workspace: WorkspaceName,
    pub(crate) flow: FlowName,
    /// Whether it handles something: it says nothing of the health of its workspace.
    pub(crate) handles: bool,
}

impl RunRef {
    pub(crate) fn of(run: &NewRun) -> Self {
        Self {
            run: run.id.clone(),
            workspace: run.workspace.clone(),
            flow: run.flow.clone(),
            handles: run.trigger.handles(),
        }
    }
}

/// What listeners are told about a write, noted before it is given away.
#[derive(Debug)]
struct Notes {
    logs: bool,
    /// Whether the broker allowed a call.
    call: Option<bool>,
    /// The run that it started.
    started: Option<RunRef>,
    /// Runs that it is sure to start beside: handlers.
    handlers: Vec<RunRef>,
    /// How the run ends, when it succeeds or fails.
    ended: Option<Ended>,
}

impl Notes {
    fn of(write: &Write) -> Self {
        let (chunk, internal) = match write {
            Write::Append { chunk, internal, .. } => (Some(chunk), internal.as_deref()),
            Write::End { chunk, .. }
            | Write::Retry { chunk, .. }
            | Write::Continue { chunk, .. } => (Some(chunk), None),
            Write::Suspend { .. }
            | Write::Release { .. }
            | Write::Park { .. }
            | Write::Cancel { .. }
            | Write::Fail { .. } => (None, None),
        };
        let (call, started) = match internal.map(|Internal { effect, .. }| effect) {
            Some(InternalEffect::Call(call)) => (Some(true), Some(RunRef::of(&call.run))),
            Some(InternalEffect::Refused(..)) => (Some(false), None),
            Some(InternalEffect::Flow(flow)) => (None, Some(RunRef::of(&flow.run))),
            Some(
                InternalEffect::State { .. }
                | InternalEffect::Wait { .. }
                | InternalEffect::Sleep { .. },
            )
            | None => (None, None),
        };
        let started = match write {
            Write::Continue { successor, .. } => Some(RunRef::of(successor)),
            _ => started,
        };
        Self {
            logs: chunk.is_some_and(|chunk| !chunk.logs.is_empty()),
            call,
            started,
            handlers: handlers_of(write),
            ended: ended_of(write),
        }
    }

    fn publish(self, shared: &Shared, of: &RunRef, written: &Written) {
        let outcome = match written {
            Written::Done(outcome) => outcome.as_ref(),
            Written::Suspended { .. } | Written::Answered(_) => None,
            Written::Rejected if self.ended.is_some() => {
                // It has ended already, by somebody else or by this write, whose answer was lost.
                return shared.lookout.doubt();
            }
            Written::Woken | Written::Fenced | Written::Claimed | Written::Rejected => return,
        };
        let now = shared.clock.now();
        if self.logs {
            let kind = EventKind::Log { run: of.run.clone() };
            shared.events.publish(now, of.workspace.clone(), kind);
        }
        if let Some(ended) = self.ended {
            shared.lookout.note((&of.workspace, &of.flow), (ended, of.handles), now);
        }
        tell_of_handlers(shared, self.handlers, now);
        // A run that may be started can still be refused by a full queue.
        let refused = matches!(outcome, Some(Outcome::Failed(_)));
        if let Some(allowed) = self.call {
            let kind = EventKind::Call { run: of.run.clone(), allowed: allowed && !refused };
            shared.events.publish(now, of.workspace.clone(), kind);
        }
        if let Some(RunRef { run, workspace, flow, .. }) = self.started.filter(|_| !refused) {
            let kind = EventKind::Run { run, flow, state: State::Queued };
            shared.events.publish(now, workspace, kind);
        }
    }
}

/// Publishes that handlers are queued.
pub(crate) fn tell_of_handlers(shared: &Shared, handlers: Vec<RunRef>, at: Timestamp) {
    for RunRef { run, workspace, flow, .. } in handlers {
        let kind = EventKind::Run { run, flow, state: State::Queued };
        shared.events.publish(at, workspace, kind);
    }
}

/// How a run ends that succeeds or fails by a write.
pub(crate) fn ended_of(write: &Write) -> Option<Ended> {
    let Write::End { ending, started_at, ended_at, .. } = write else { return None };
    match ending.state() {
        State::Succeeded => Some(Ended::of(false, Some(*started_at), *ended_at)),
        State::Failed => Some(Ended::of(true, Some(*started_at), *ended_at)),
        State::Queued | State::Running | State::Suspended | State::Cancelled | State::Skipped => {
            None
        }
    }
}

/// The handlers that a write is sure to start.
pub(crate) fn handlers_of(write: &Write) -> Vec<RunRef> {
    match write {
        Write::Append { internal: Some(internal), .. } => match &internal.effect {
            InternalEffect::Refused(.., handlers) => handlers.iter().map(RunRef::of).collect(),
            _ => Vec::new(),
        },
        Write::End { aftermath: Some(aftermath), .. }
        | Write::Fail { aftermath: Some(aftermath), .. } => {
            let of = |handling: &Handling| match handling {
                Handling::Run(run) => Some(RunRef::of(run)),
                Handling::Call(_) | Handling::Refused(_) => None,
            };
            aftermath.started.iter().filter_map(of).collect()
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_writes_share_a_commit_while_commits_are_quick() {
        let mut batch = Batch::default();
        for _ in 0..9 {
            batch.took(batch.most, Duration::ZERO);
        }
        assert_eq!(batch.most, Batch::BOUNDS.1);
        batch.took(1, Batch::LONG * 2);
        assert_eq!(
            batch.most,
            Batch::BOUNDS.1 / 2,
            "one that takes long counts, however small it is"
        );
        for _ in 0..9 {
            batch.took(1, Duration::ZERO);
        }
        assert_eq!(batch.most, Batch::BOUNDS.1 / 2, "more would not have helped");
        for _ in 0..9 {
            batch.took(batch.most, Batch::LONG * 2);
        }
        assert_eq!(batch.most, Batch::BOUNDS.0);
    }
}

//! The driver of one cell: gives it runs, performs what they ask for, records what they did.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use signalbox_cell::protocol::{About, FromCell, Start, ToCell};
use signalbox_core::codes::Code;
use signalbox_core::journal::{Chunk, Entry, Failure, Outcome};
use signalbox_core::run::{Ending, Reason, RunError, State, Trigger};
use signalbox_core::{RunId, WorkspaceName};
use signalbox_store::contract::Write;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::active::{Active, Phase, Stop};
use super::process::{Ended, Recipe};
use super::programs::Programs;
use super::wire::Wire;
use super::{Assignment, CellId, Command, Link, Process};
use crate::dispatcher::Message;
use crate::options::Error;
use crate::recorder::{self, Job, Jobs, Then};
use crate::shared::Shared;

/// Commands that may wait: more than a cell's runs can have under way.
const COMMANDS: usize = 1024;
/// A cell without work is gone after this.
const IDLE: Duration = Duration::from_secs(10);
/// A cell is replaced after so many runs: closures that hold themselves leak memory for good.
const MAX_RUNS: u64 = 20_000;
/// A cell that does not report as ready by then is killed.
const READY_WITHIN: Duration = Duration::from_secs(10);
/// A run that takes longer does not keep others waiting in the cell's socket.
const RECALL_AFTER: Duration = Duration::from_millis(5);
/// Most bytes of journal in one frame, well below the largest frame.
const JOURNAL_FRAME: usize = 1 << 20;

/// Starts a cell and its driver. Everything that happens is told to the dispatcher.
pub(crate) fn spawn(
    shared: Arc<Shared>,
    id: CellId,
    workspace: WorkspaceName,
    memory: u64,
) -> Link {
    let (commands, inbox) = mpsc::channel(COMMANDS);
    let link = Link { cell: id, commands: commands.clone() };
    tokio::spawn(async move {
        let recipe = Recipe { program: shared.cell.clone(), memory };
        match shared.spawner.spawn(recipe).await {
            Ok((process, socket)) => {
                let wire = Wire::new(socket);
                let driver = Driver::new(shared, (id, workspace), process, wire, (commands, inbox));
                driver.run().await;
            }
            Err(error) => {
                tracing::error!(%workspace, %error, "cannot start a cell");
                // What was assigned meanwhile goes back; the dispatcher tries again, later.
                let leftover = leftover(inbox).await;
                let gone = Message::Gone { cell: id, workspace, leftover, failed: true };
                drop(shared.dispatcher.send(gone).await);
            }
        }
    });
    link
}

/// Everything that was assigned and not looked at.
async fn leftover(mut inbox: mpsc::Receiver<Command>) -> Vec<Assignment> {
    inbox.close();
    let mut assignments = Vec::new();
    while let Some(command) = inbox.recv().await {
        if let Command::Assign(more) = command {
            assignments.extend(more);
        }
    }
    assignments
}

/// Why a driver is done with its cell.
#[derive(Debug)]
enum Exit {
    /// There was no work, it has worked enough, or the engine stops.
    Done,
    /// The cell ended, or was killed.
    Lost,
    /// The cell said something that no cell says.
    Hostile(String),
}

/// The driver of one cell.
#[derive(Debug)]
pub(crate) struct Driver {
    pub(super) shared: Arc<Shared>,
    id: CellId,
    workspace: WorkspaceName,
    pub(super) wire: Wire,
    process: Process,
    pub(super) commands: mpsc::Sender<Command>,
    inbox: mpsc::Receiver<Command>,
    pub(super) jobs: Jobs,
    recorder: JoinHandle<()>,
    programs: Programs,
    pub(super) runs: HashMap<u32, Active>,
    /// Runs in the order in which the cell evaluates them; the first is evaluated.
    pub(super) order: VecDeque<u32>,
    next: u32,
    pub(super) effects: u32,
    total: u64,
    pub(super) isolation: Option<u8>,
    recalled: bool,
    retired: bool,
    stopping: Option<Instant>,
    /// Since when there has been nothing to do.
    idle: Instant,
}

impl Driver {
    fn new(
        shared: Arc<Shared>,
        (id, workspace): (CellId, WorkspaceName),
        process: Process,
        wire: Wire,
        (commands, inbox): (mpsc::Sender<Command>, mpsc::Receiver<Command>),
    ) -> Self {
        let (jobs, recorder) = recorder::spawn(Arc::clone(&shared), &commands);
        Self {
            jobs,
            recorder,
            shared,
            id,
            workspace,
            wire,
            process,
            commands,
            inbox,
            programs: Programs::default(),
            runs: HashMap::new(),
            order: VecDeque::new(),
            next: 0,
            effects: 0,
            total: 0,
            isolation: None,
            recalled: false,
            retired: false,
            stopping: None,
            idle: Instant::now(),
        }
    }

    async fn run(mut self) {
        let exit = self.serve().await;
        self.leave(exit).await;
    }

    async fn serve(&mut self) -> Exit {
        loop {
            if self.is_done() {
                return Exit::Done;
            }
            let wake = tokio::time::Instant::from_std(self.wake_at());
            tokio::select! {
                more = self.wire.exchange() => match more {
                    Ok(true) => if let Err(fault) = self.take_frames().await {
                        return Exit::Hostile(fault);
                    },
                    Ok(false) | Err(_) => return Exit::Lost,
                },
                Some(command) = self.inbox.recv() => {
                    if let Err(fault) = self.obey(command).await {
                        return Exit::Hostile(fault);
                    }
                }
                () = tokio::time::sleep_until(wake) => if !self.tick().await {
                    return Exit::Lost;
                },
            }
        }
    }

    fn is_done(&self) -> bool {
        self.order.is_empty()
            && (self.stopping.is_some() || self.retired || self.idle.elapsed() >= IDLE)
    }

    /// The next moment at which something is due without anything happening before.
    fn wake_at(&self) -> Instant {
        let Some(head) = self.order.front().and_then(|run| self.runs.get(run)) else {
            return self.idle + IDLE;
        };
        let Some((began, _)) = head.began else { return self.idle + READY_WITHIN };
        let recall = (self.order.len() > 1 && !self.recalled).then(|| began + RECALL_AFTER);
        let grace = self.stopping.map(|since| since + self.shared.grace);
        let far = began + Duration::from_secs(3600);
        head.wake_at().into_iter().chain(recall).chain(grace).min().unwrap_or(far)
    }

    /// Does what is due. Answers false when the cell must go.
    async fn tick(&mut self) -> bool {
        let Some(number) = self.order.front().copied() else { return true };
        let now = Instant::now();
        if self.isolation.is_none() {
            return now < self.idle + READY_WITHIN;
        }
        let Some(head) = self.runs.get_mut(&number) else { return false };
        if head.flush_at().is_some_and(|at| at <= now) {
            self.flush(number).await;
        }
        let Some(head) = self.runs.get_mut(&number) else { return false };
        if let Phase::Stopping { since, .. } = head.phase {
            return now < since + super::active::KILL_AFTER;
        }
        if head.deadline().is_some_and(|at| at <= now) {
            self.stop(number, Stop::TimedOut);
        } else if self.stopping.is_some_and(|since| since + self.shared.grace <= now) {
            self.stop(number, Stop::Shutdown);
        } else if head.waited_enough(now) {
            self.stop(number, Stop::Suspend);
        } else if self.order.len() > 1 && head.began.is_some_and(|(at, _)| at + RECALL_AFTER <= now)
        {
            self.recall();
        }
        true
    }

    /// Asks a run to stop, for the first reason that comes up.
    pub(super) fn stop(&mut self, number: u32, why: Stop) {
        let Some(active) = self.runs.get_mut(&number) else { return };
        if let Phase::Stopping { why: before, .. } = &mut active.phase {
            // A run that is being suspended can still be cancelled, or lose its claim.
            if *before == Stop::Suspend {
                *before = why;
            }
            return;
        }
        if let Phase::InEffect(pending) = &active.phase
            && why == Stop::Suspend
        {
            active.suspend = Some((pending.key.clone(), pending.until));
        }
        if let Some(performing) = active.performing.take() {
            performing.abort();
        }
        active.phase = Phase::Stopping { why, since: Instant::now() };
        self.push(&ToCell::Unwind { run: number });
    }

    /// Asks for the runs back that have not begun.
    pub(super) fn recall(&mut self) {
        if self.order.len() > 1 && !self.recalled {
            self.recalled = true;
            self.push(&ToCell::Recall);
        }
    }

    /// Puts a frame in line whose size is known to be small.
    pub(super) fn push(&mut self, frame: &ToCell) {
        if let Err(error) = self.wire.push(frame) {
            tracing::error!(%error, "cannot speak to a cell");
            self.process.kill();
        }
    }

    // --- commands ---

    async fn obey(&mut self, command: Command) -> Result<(), String> {
        match command {
            Command::Assign(assignments) => {
                for assignment in assignments {
                    self.assign(assignment).await;
                }
                self.begin_head();
            }
            Command::Durable { ticket } => self.durable(ticket),
            Command::Outcome { ticket, outcome, recorded } => {
                self.outcome(ticket, outcome, recorded).await;
            }
            Command::Answer { run, key, outcome } => self.answer(&run, &key, outcome),
            Command::Cancel { run } => self.cancel(&run),
            Command::Fenced { run } => self.fenced(run),
            Command::Stop => {
                self.stopping = Some(Instant::now());
                self.recall();
            }
        }
        Ok(())
    }

    /// Sends a run to the cell, with whatever it needs first.
    async fn assign(&mut self, assignment: Assignment) {
        self.next += 1;
        let number = self.next;
        match self.frames_of(number, &assignment).await {
            Ok((frames, journal)) => {
                let link = Link { cell: self.id, commands: self.commands.clone() };
                let active = Active::new(assignment, &journal);
                self.shared.link(active.id().clone(), link);
                self.runs.insert(number, active);
                self.order.push_back(number);
                let too_large = frames.iter().any(|frame| self.wire.push(frame).is_err());
                if too_large {
                    let error =
                        RunError::plain(Code::LimitExceeded, "the flow does not fit a frame");
                    self.give_up(number, Ending::Failed(Reason::LimitExceeded, error)).await;
                }
            }
            Err(error) => {
                tracing::error!(run = %assignment.claim.run.id, %error, "cannot prepare a run");
                let error =
                    RunError::plain(Code::Internal, format!("cannot prepare the run: {error}"));
                self.runs.insert(number, Active::new(assignment, &[]));
                self.order.push_back(number);
                self.give_up(number, Ending::Failed(Reason::ScriptError, error)).await;
            }
        }
    }

    async fn frames_of(
        &mut self,
        number: u32,
        assignment: &Assignment,
    ) -> Result<(Vec<ToCell>, Vec<Entry>), Error> {
        let store = Arc::clone(&self.shared.store);
        let (program, mut frames) = self.programs.prepare(assignment, store.as_ref()).await?;
        let claim = &assignment.claim;
        let journal = match claim.next_chunk {
            0 | 1 => Vec::new(),
            _ => store.journal(&claim.run.id).await?,
        };
        let entries = u32::try_from(journal.len()).unwrap_or(u32::MAX);
        frames.extend(in_frames(number, &journal));
        let mut seed = [0; 8];
        getrandom::fill(&mut seed).map_err(|error| Error::Host {
            what: "draw random bytes".to_owned(),
            source: std::io::Error::other(error.to_string()),
        })?;
        frames.push(ToCell::Start(Box::new(Start {
            run: number,
            program,
            inputs: claim.run.inputs.clone(),
            about: about(assignment),
            marker_key: self.shared.secrets.marker_key(&claim.run.id),
            seed: u64::from_le_bytes(seed),
            journal: entries,
        })));
        Ok((frames, journal))
    }

    fn cancel(&mut self, run: &RunId) {
        let first = self.order.front().copied();
        let found = self.runs.iter_mut().find(|(_, active)| active.id() == run);
        let Some((number, active)) = found else { return };
        let number = *number;
        if first == Some(number) {
            self.stop(number, Stop::Cancel);
        } else {
            // It is in the cell's socket, behind another: it ends when it comes back or begins.
            active.cancelled = true;
            self.recall();
        }
    }

    fn fenced(&mut self, number: u32) {
        if self.runs.contains_key(&number) {
            self.stop(number, Stop::Fenced);
        }
    }

    // --- the life of a run ---

    /// The first run in line is the one that the cell evaluates.
    pub(super) fn begin_head(&mut self) {
        if self.isolation.is_none() {
            return;
        }
        let Some(head) = self.order.front().and_then(|run| self.runs.get_mut(run)) else { return };
        if head.began.is_none() {
            head.began = Some((Instant::now(), self.shared.clock.now()));
            if head.phase == Phase::Sent {
                head.phase = Phase::Evaluating;
            }
            if let (true, Some(number)) = (head.cancelled, self.order.front().copied()) {
                self.stop(number, Stop::Cancel);
            }
        }
    }

    /// Puts what a run has buffered on its way to the store.
    pub(super) async fn flush(&mut self, number: u32) {
        self.append(number, Then::Nothing).await;
    }

    /// Appends what is buffered. Answers whether there was anything.
    pub(super) async fn append(&mut self, number: u32, then: Then) -> bool {
        let now = self.shared.clock.now();
        let Some(active) = self.runs.get_mut(&number) else { return false };
        let Some((chunk_number, chunk)) = active.take(false) else { return false };
        let write = Write::Append {
            run: active.id().clone(),
            epoch: active.epoch(),
            number: chunk_number,
            started_at: active.started_at(now),
            chunk,
            internal: None,
        };
        let of = Arc::clone(&active.of);
        self.record(Job { of, write, then }).await;
        true
    }

    pub(super) async fn record(&self, job: Job) {
        if self.jobs.send(job).await.is_err() {
            tracing::error!("the recorder of a cell is gone");
        }
    }

    /// Ends a run and forgets it.
    pub(super) async fn end(&mut self, number: u32, chunk: Chunk, ending: Ending) {
        let now = self.shared.clock.now();
        let Some(mut active) = self.forget(number) else { return };
        active.buffer(chunk);
        let state = ending.state();
        let (chunk_number, chunk) = active.take(true).unwrap_or_default();
        let write = Write::End {
            run: active.id().clone(),
            epoch: active.epoch(),
            number: chunk_number,
            started_at: active.started_at(now),
            chunk,
            answer: answer_of(&ending),
            ending,
            ended_at: now,
            isolation: self.isolation.unwrap_or(0),
        };
        let of = Arc::clone(&active.of);
        self.record(Job { of, write, then: Then::State(state) }).await;
    }

    /// Ends a run that the cell has or will have without asking the cell. What it says of the run
    /// later is ignored; a cell with such a run is not used for more.
    async fn give_up(&mut self, number: u32, ending: Ending) {
        self.end(number, Chunk::default(), ending).await;
        self.retired = true;
        let retired = Message::Retired { cell: self.id, workspace: self.workspace.clone() };
        drop(self.shared.dispatcher.send(retired).await);
    }

    /// Gives a run back to the queue.
    pub(super) async fn release(&mut self, number: u32, cell_lost: bool) {
        let Some(active) = self.forget(number) else { return };
        let write = Write::Release {
            run: active.id().clone(),
            epoch: active.epoch(),
            cell_lost,
            active_us: active.active_us(),
        };
        let of = Arc::clone(&active.of);
        self.record(Job { of, write, then: Then::State(State::Queued) }).await;
    }

    /// Takes a run out of the cell's hands.
    pub(super) fn forget(&mut self, number: u32) -> Option<Active> {
        let mut active = self.runs.remove(&number)?;
        if let Some(performing) = active.performing.take() {
            performing.abort();
        }
        self.order.retain(|other| *other != number);
        self.shared.unlink(active.id());
        self.idle = Instant::now();
        self.recalled &= self.order.len() > 1;
        Some(active)
    }

    // --- frames ---

    async fn take_frames(&mut self) -> Result<(), String> {
        let mut ended = 0;
        let mut evaluated = Duration::ZERO;
        while let Some(frame) = self.wire.next_frame().map_err(|error| error.to_string())? {
            if let FromCell::Ended { .. } | FromCell::Unwound { .. } = frame {
                ended += 1;
                evaluated += self.evaluated();
            }
            self.take_frame(frame).await?;
            self.begin_head();
        }
        if ended > 0 {
            self.finished(ended, evaluated).await;
        }
        Ok(())
    }

    /// How long the first run in line has been evaluated.
    fn evaluated(&self) -> Duration {
        let head = self.order.front().and_then(|run| self.runs.get(run));
        head.and_then(|head| head.began).map_or(Duration::ZERO, |(began, _)| began.elapsed())
    }

    async fn finished(&mut self, runs: usize, evaluated: Duration) {
        self.total += runs as u64;
        let (cell, workspace) = (self.id, self.workspace.clone());
        if self.total >= MAX_RUNS && !self.retired {
            self.retired = true;
            let retired = Message::Retired { cell, workspace: workspace.clone() };
            drop(self.shared.dispatcher.send(retired).await);
        }
        let finished = Message::Finished { cell, workspace, runs, evaluated };
        drop(self.shared.dispatcher.send(finished).await);
    }

    /// Gives runs back to the dispatcher that the cell has not begun.
    pub(super) async fn returned(&mut self, numbers: Vec<u32>) {
        let mut assignments = Vec::new();
        for number in numbers {
            if self.runs.get(&number).is_some_and(|active| active.cancelled) {
                self.end(number, Chunk::default(), Ending::Cancelled).await;
            } else {
                assignments.extend(self.forget(number).map(|active| active.assignment));
            }
        }
        self.recalled = false;
        let (cell, workspace) = (self.id, self.workspace.clone());
        drop(self.shared.dispatcher.send(Message::Returned { cell, workspace, assignments }).await);
    }

    // --- the end ---

    async fn leave(mut self, exit: Exit) {
        if let Exit::Hostile(fault) = &exit {
            tracing::warn!(workspace = %self.workspace, fault, "a cell broke the protocol and is killed");
        }
        let ended = self.process.reap().await;
        let mut back = self.settle(&ended).await;
        let Self { shared, id, workspace, inbox, jobs, recorder, .. } = self;
        back.extend(leftover(inbox).await);
        // Only when everything is recorded is the cell gone: whoever closes the store waits for it.
        drop(jobs);
        if let Err(error) = recorder.await {
            tracing::error!(%error, "the recorder of a cell failed");
        }
        let gone = Message::Gone { cell: id, workspace, leftover: back, failed: false };
        drop(shared.dispatcher.send(gone).await);
    }

    /// Settles the runs that a lost cell had. Answers those to be evaluated elsewhere.
    async fn settle(&mut self, ended: &Ended) -> Vec<Assignment> {
        let numbers: Vec<_> = self.order.iter().copied().collect();
        let head = self.order.front().and_then(|run| self.runs.get(run));
        let known = numbers.len() == 1 || head.is_some_and(|head| head.seen);
        let mut back = Vec::new();
        for (at, number) in numbers.into_iter().enumerate() {
            let Some(active) = self.runs.get(&number) else { continue };
            if let Phase::Stopping { why, .. } = active.phase {
                self.stopped(number, why).await;
            } else if at == 0 && known && active.began.is_some() {
                self.lost(number, ended).await;
            } else if active.cancelled {
                self.end(number, Chunk::default(), Ending::Cancelled).await;
            } else if let Some(active) = self.forget(number) {
                let suspect = active.assignment.suspect || !known;
                back.push(Assignment { suspect, ..active.assignment });
            }
        }
        back
    }

    /// The run whose cell died. The second time it fails: it would go on for ever.
    async fn lost(&mut self, number: u32, ended: &Ended) {
        let Some(active) = self.runs.get(&number) else { return };
        tracing::warn!(run = %active.id(), ?ended, "the cell of a run died");
        if active.assignment.claim.lost_cells == 0 {
            return self.release(number, true).await;
        }
        let ending = if ended.is_abort() {
            let message = "its cell ran out of memory or stack, twice";
            let error = RunError::plain(Code::LimitExceeded, message);
            Ending::Failed(Reason::LimitExceeded, error)
        } else {
            let message = format!("its cell died, twice: {ended}");
            Ending::Failed(Reason::CellLost, RunError::plain(Code::CellLost, message))
        };
        self.end(number, Chunk::default(), ending).await;
    }

    /// A run that stopped as it was asked to.
    pub(super) async fn stopped(&mut self, number: u32, why: Stop) {
        let failed =
            |reason, code, message: &str| Ending::Failed(reason, RunError::plain(code, message));
        match why {
            Stop::Suspend => self.suspend(number).await,
            Stop::Shutdown => self.release(number, false).await,
            Stop::Fenced => drop(self.forget(number)),
            Stop::Cancel => self.end(number, Chunk::default(), Ending::Cancelled).await,
            Stop::TimedOut => {
                let ending =
                    failed(Reason::TimedOut, Code::RunTimedOut, "it took longer than it may");
                self.end(number, Chunk::default(), ending).await;
            }
            Stop::JournalFull => {
                let message = "its journal is full: at most 10,000 effects and 64 MiB";
                let ending = failed(Reason::LimitExceeded, Code::LimitExceeded, message);
                self.end(number, Chunk::default(), ending).await;
            }
        }
    }

    /// A run that waits for a call holds nothing from now on.
    async fn suspend(&mut self, number: u32) {
        let Some(active) = self.forget(number) else { return };
        let Some((waits_for, until)) = active.suspend.clone() else { return };
        let write = Write::Suspend {
            run: active.id().clone(),
            epoch: active.epoch(),
            waits_for,
            until,
            active_us: active.active_us(),
        };
        let of = Arc::clone(&active.of);
        self.record(Job { of, write, then: Then::State(State::Suspended) }).await;
    }
}

/// What a caller that waits for the run gets.
fn answer_of(ending: &Ending) -> Outcome {
    match ending {
        Ending::Succeeded(result) => Outcome::Done(result.clone()),
        Ending::Failed(_, error) => Outcome::Failed(Failure::permanent(
            Code::CallFailed,
            format!("the called run failed: {} {}", error.code, error.message),
        )),
        Ending::Cancelled | Ending::Skipped(_) => {
            Outcome::Failed(Failure::permanent(Code::Cancelled, "the called run was cancelled"))
        }
    }
}

/// A journal in frames that are well below the largest.
fn in_frames(run: u32, journal: &[Entry]) -> Vec<ToCell> {
    let mut frames = Vec::new();
    let mut part = Vec::new();
    let mut bytes = 0;
    for entry in journal {
        part.push(entry.clone());
        bytes += super::active::size(entry);
        if bytes >= JOURNAL_FRAME {
            bytes = 0;
            frames.push(ToCell::Journal { run, entries: std::mem::take(&mut part) });
        }
    }
    if !part.is_empty() {
        frames.push(ToCell::Journal { run, entries: part });
    }
    frames
}

/// What a run is told of itself.
fn about(assignment: &Assignment) -> About {
    let Assignment { claim, pinned, .. } = assignment;
    let (slot, caller) = match &claim.run.trigger {
        Trigger::Schedule { slot, .. } => (Some(slot.0), None),
        Trigger::Call { caller, .. } => (None, Some(caller.to_string())),
        Trigger::Api | Trigger::Retry { .. } => (None, None),
    };
    About {
        id: claim.run.id.clone(),
        flow: claim.run.flow.to_string(),
        workspace: claim.run.workspace.to_string(),
        revision: pinned.spec.revision.to_string(),
        attempt: claim.attempt,
        trigger: claim.run.trigger.kind().to_owned(),
        slot,
        caller,
    }
}

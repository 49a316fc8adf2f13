//! The driver of one cell: gives it runs, performs what they ask for, records what they did.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use signalbox_cell::protocol::{FromCell, ToCell};
use signalbox_core::{RunId, WorkspaceName};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::active::{Active, KILL_AFTER, Phase, Stop};
use super::leave::leftover;
use super::pace::Pace;
use super::programs::Programs;
use crate::doors::{Cell, Place, Process};
use crate::link::{CellId, Command, Link, Message};
use crate::process::Wire;
use crate::recorder::{self, Jobs};
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
        let started = shared.doors.cells.start(memory).await;
        match started {
            Ok(Cell { process, reader, writer }) => {
                // Where it is not let to, it stands where it was started: beside the runner.
                process.stand(Place::Usual);
                let wire = Wire::new(reader, writer);
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

/// Why a driver is done with its cell.
#[derive(Debug)]
pub(super) enum Exit {
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
    pub(super) id: CellId,
    pub(super) workspace: WorkspaceName,
    pub(super) wire: Wire,
    pub(super) process: Box<dyn Process>,
    pub(super) pace: Pace,
    pub(super) commands: mpsc::Sender<Command>,
    pub(super) inbox: mpsc::Receiver<Command>,
    pub(super) jobs: Jobs,
    pub(super) recorder: JoinHandle<()>,
    pub(super) programs: Programs,
    pub(super) runs: HashMap<u32, Active>,
    /// Runs in the order in which the cell evaluates them; the first is evaluated.
    pub(super) order: VecDeque<u32>,
    pub(super) next: u32,
    pub(super) effects: u32,
    pub(super) total: u64,
    pub(super) isolation: Option<u8>,
    pub(super) recalled: bool,
    /// Recalls that the cell has not answered.
    pub(super) recalls: u32,
    pub(super) retired: bool,
    pub(super) stopping: Option<Instant>,
    /// Since when there has been nothing to do.
    pub(super) idle: Instant,
}

impl Driver {
    fn new(
        shared: Arc<Shared>,
        (id, workspace): (CellId, WorkspaceName),
        process: Box<dyn Process>,
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
            pace: Pace::default(),
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
            recalls: 0,
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
            let wake = self.wake_at();
            if wake <= Instant::now() && !self.tick().await {
                return Exit::Lost;
            }
            let backlog = self.jobs.backlog.clone();
            let full = backlog.is_full();
            tokio::select! {
                // Commands are few. What is due was done above, so that a cell which never stops
                // talking keeps nothing from being done.
                biased;
                Some(command) = self.inbox.recv() => {
                    if let Err(fault) = self.obey(command).await {
                        return Exit::Hostile(fault);
                    }
                }
                () = backlog.less(), if full => {}
                more = self.wire.exchange(), if !full => match more {
                    Ok(true) => if let Err(fault) = self.take_frames().await {
                        return Exit::Hostile(fault);
                    },
                    Ok(false) | Err(_) => return Exit::Lost,
                },
                () = tokio::time::sleep_until(wake) => {}
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
        if let Phase::Stopping { .. } = head.phase {
            return head.wake_at().unwrap_or(began);
        }
        let recall = (self.order.len() > 1 && !self.recalled).then(|| began + RECALL_AFTER);
        let grace = self.stopping.map(|since| since + self.shared.grace);
        let look = if head.has_pending() { None } else { self.pace.look_at(began) };
        let far = began + Duration::from_hours(1);
        let all = head.wake_at().into_iter().chain(recall).chain(grace).chain(look);
        all.min().unwrap_or(far)
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
            return now < since + KILL_AFTER;
        }
        if let Some((began, _)) = head.began {
            self.pace.look(self.process.as_ref(), began, now);
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
            Command::Cancel { run, known } => self.cancel(&run, known),
            Command::Overdue { run } => self.overdue(&run),
            Command::Fenced { run } => self.fenced(run),
            Command::Stop => {
                self.stopping = Some(Instant::now());
                self.recall();
            }
        }
        Ok(())
    }

    fn cancel(&mut self, run: &RunId, known: oneshot::Sender<()>) {
        let first = self.order.front().copied();
        let found = self.runs.iter_mut().find(|(_, active)| active.id() == run);
        let Some((number, active)) = found else { return };
        let number = *number;
        // Whoever asked may have gone; the run is cancelled all the same.
        known.send(()).ok();
        if first == Some(number) {
            self.stop(number, Stop::Cancel);
        } else {
            // It is in the cell's socket, behind another: it ends when it comes back or begins.
            active.cancelled = true;
            self.recall();
        }
    }

    /// The deadline of a run has passed. One that has not begun looks at it when it begins.
    fn overdue(&mut self, run: &RunId) {
        let head = self.order.front().copied();
        let number = head.filter(|head| self.runs.get(head).is_some_and(|head| head.id() == run));
        if let Some(number) = number {
            self.stop(number, Stop::Overdue);
        }
    }

    fn fenced(&mut self, number: u32) {
        if self.runs.contains_key(&number) {
            self.stop(number, Stop::Fenced);
        }
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
        let stands = self.pace.over(self.process.as_ref(), Instant::now());
        if (self.total >= MAX_RUNS || !stands) && !self.retired {
            self.retired = true;
            let retired = Message::Retired { cell, workspace: workspace.clone() };
            drop(self.shared.dispatcher.send(retired).await);
        }
        let finished = Message::Finished { cell, workspace, runs, evaluated };
        drop(self.shared.dispatcher.send(finished).await);
    }
}

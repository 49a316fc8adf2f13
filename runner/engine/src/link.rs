//! What the dispatcher, the drivers of cells and everybody else say to each other.

use std::sync::Arc;
use std::time::Duration;

use signalbox_core::journal::{Key, Outcome};
use signalbox_core::why::Cells;
use signalbox_core::{RunId, WorkspaceName};
use signalbox_store::Error;
use signalbox_store::contract::Claim;
use tokio::sync::{mpsc, oneshot};

use crate::revisions::Pinned;

/// The runner's number for a cell.
pub(crate) type CellId = u64;

/// A claimed run on its way into a cell.
#[derive(Debug)]
pub(crate) struct Assignment {
    pub(crate) claim: Claim,
    pub(crate) pinned: Arc<Pinned>,
    /// Whether a cell that had it with others died, or the runner may have died of it: it is evaluated alone, so that whoever kills
    /// a cell is known.
    pub(crate) suspect: bool,
    /// How often cells gave it back that should have begun it.
    pub(crate) refused: u8,
}

/// A run that was given back so often is evaluated alone.
const MAX_REFUSED: u8 = 3;

impl Assignment {
    /// The same for another cell. `refused`: this one should have begun it.
    pub(crate) fn again(self, refused: bool) -> Self {
        let refused = self.refused.saturating_add(u8::from(refused));
        Self { suspect: self.suspect || refused >= MAX_REFUSED, refused, ..self }
    }
}

/// One effect of one run in one cell. What comes back for an effect that is over is ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ticket {
    pub(crate) run: u32,
    pub(crate) effect: u32,
}

/// What a driver is told.
#[derive(Debug)]
pub(crate) enum Command {
    /// Evaluate these after what there is.
    Assign(Vec<Assignment>),
    /// A commit that an effect waited for is durable.
    Durable { ticket: Ticket },
    /// An effect has its outcome. `recorded` says whether the journal has it already.
    Outcome { ticket: Ticket, outcome: Outcome, recorded: bool },
    /// The answer of a wait of a run that this cell has.
    Answer { run: RunId, key: Key, outcome: Outcome },
    /// Somebody wants the end of a run.
    Cancel { run: RunId, known: oneshot::Sender<()> },
    /// The deadline of a run has passed.
    Overdue { run: RunId },
    /// The claim of a run is gone: stop it, record nothing.
    Fenced { run: u32 },
    /// The engine stops: give back what has not begun, end when the rest has.
    Stop,
}

/// The way to the driver that has a run.
#[derive(Debug, Clone)]
pub(crate) struct Link {
    pub(crate) cell: CellId,
    pub(crate) commands: mpsc::Sender<Command>,
}

impl Link {
    /// Asks for the end of a run. Answers whether the driver has it.
    pub(crate) async fn cancel(&self, run: &RunId) -> bool {
        let (known, answer) = oneshot::channel();
        let command = Command::Cancel { run: run.clone(), known };
        self.commands.send(command).await.is_ok() && answer.await.is_ok()
    }

    /// Says that the deadline of a run has passed.
    pub(crate) async fn overdue(&self, run: RunId) {
        drop(self.commands.send(Command::Overdue { run }).await);
    }

    /// Hands over the answer of a wait.
    pub(crate) async fn answer(&self, run: RunId, key: Key, outcome: Outcome) {
        drop(self.commands.send(Command::Answer { run, key, outcome }).await);
    }
}

/// What the dispatcher is told.
#[derive(Debug)]
pub(crate) enum Message {
    /// So many runs of a workspace were wanted that had to be read; here are those that there were.
    Claimed { workspace: WorkspaceName, wanted: usize, claims: Result<Vec<Claim>, Error> },
    /// Runs of a cell have ended, or were stopped, after so much evaluation.
    Finished { cell: CellId, workspace: WorkspaceName, runs: usize, evaluated: Duration },
    /// A cell gave runs back that it had not begun.
    /// `runs` counts those too that ended as they came back.
    Returned { cell: CellId, workspace: WorkspaceName, runs: usize, assignments: Vec<Assignment> },
    /// A cell takes no more work; it goes when it has done what it has.
    Retired { cell: CellId, workspace: WorkspaceName },
    /// A cell is gone. What it had and did not settle is here.
    Gone { cell: CellId, workspace: WorkspaceName, leftover: Vec<Assignment>, failed: bool },
    /// Look again: a pool that could not start a cell may try.
    Again,
    /// Somebody wants to know what the cells of a workspace do.
    Look { workspace: WorkspaceName, reply: oneshot::Sender<Cells> },
}

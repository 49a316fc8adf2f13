//! The cells of one workspace and what they have.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use signalbox_core::catalog::Limits;
use signalbox_core::why::Cells;

use super::fair::Demand;
use crate::link::{Assignment, CellId, Command, Link};

/// Most runs that a cell has at once, the evaluated one included, while runs are short.
const DEPTH: usize = 64;
/// Runs that take longer on average are handed over one at a time.
const SHORT: Duration = Duration::from_millis(2);
/// Cells that a flood of short runs is spread over: more would only take turns on the processors.
const CELLS_FOR_SHORT: usize = 2;

/// The cells of one workspace.
#[derive(Debug, Default)]
pub(super) struct Pool {
    /// What the workspace is granted now.
    pub(super) limits: Limits,
    /// Runs that wait in the store, as of this turn.
    pub(super) waiting: usize,
    cells: BTreeMap<CellId, Cell>,
    /// Runs that are being claimed: each will want its place.
    claiming: usize,
    /// Claimed runs that are to be placed again, oldest first.
    returned: VecDeque<Assignment>,
    /// How long a run is evaluated, on average over the last few; `None` while nothing is known.
    average: Option<Duration>,
    /// Whether the last cell could not be started.
    failed: bool,
}

#[derive(Debug)]
struct Cell {
    link: Link,
    assigned: usize,
    /// It is being emptied for a run that must be alone.
    draining: bool,
    /// It has a run that must be alone, or one that takes long: nothing is put behind it.
    closed: bool,
    retired: bool,
}

impl Pool {
    /// Cells it has and could use more of.
    pub(super) fn demand(&self) -> Demand {
        let cells = self.cells.len();
        if self.failed {
            return Demand { cells, wants: 0 };
        }
        let want = self.waiting + self.returned.len();
        let room = self.room();
        let usable = self.cells.values().filter(|cell| !cell.retired).count();
        let most = match self.average {
            Some(average) if average < SHORT => CELLS_FOR_SHORT,
            Some(_) | None => usize::MAX,
        };
        let limit = (self.limits.concurrency as usize).min(most.max(self.busy() + 1));
        let wants = want.saturating_sub(room).min(limit.saturating_sub(usable));
        // While nothing is known of the runs, one cell more finds out.
        let wants = if self.average.is_none() { wants.min(1) } else { wants };
        Demand { cells, wants }
    }

    /// Whether it could have more cells, and adds them one by one because it is not known how long
    /// its runs take. The dispatcher must look again without being told to: a run that takes long
    /// says nothing.
    pub(super) fn is_curious(&self) -> bool {
        let usable = self.cells.values().filter(|cell| !cell.retired).count();
        self.average.is_none() && !self.failed && usable < self.limits.concurrency as usize
    }

    /// Cells that have a run which takes long.
    fn busy(&self) -> usize {
        self.cells.values().filter(|cell| cell.closed).count()
    }

    /// How many runs its cells can take now.
    pub(super) fn room(&self) -> usize {
        let depth = self.depth();
        let room: usize = self.cells.values().map(|cell| cell.room(depth)).sum();
        room.saturating_sub(self.claiming)
    }

    fn depth(&self) -> usize {
        match self.average {
            Some(average) if average < SHORT => DEPTH,
            Some(_) | None => 1,
        }
    }

    /// So many runs are being claimed.
    pub(super) fn claiming(&mut self, runs: usize) {
        self.claiming += runs;
    }

    /// They are claimed, or cannot be.
    pub(super) fn claimed(&mut self, runs: usize) {
        self.claiming -= runs;
    }

    pub(super) fn grow(&mut self, link: Link) {
        let cell = Cell { assigned: 0, draining: false, closed: false, retired: false, link };
        self.cells.insert(cell.link.cell, cell);
    }

    /// Gives a run to the cell with the most room; keeps it when there is none.
    pub(super) fn place(&mut self, assignment: Assignment) {
        let depth = self.depth();
        let fits = |cell: &&mut Cell| {
            if assignment.suspect {
                cell.assigned == 0 && !cell.retired
            } else {
                cell.room(depth) > 0
            }
        };
        let Some(cell) = self.cells.values_mut().filter(fits).min_by_key(|cell| cell.assigned)
        else {
            if assignment.suspect {
                self.drain_one();
            }
            self.returned.push_back(assignment);
            return;
        };
        cell.draining = false;
        cell.closed |= assignment.suspect;
        cell.assigned += 1;
        if let Err(error) = cell.link.commands.try_send(Command::Assign(vec![assignment])) {
            // The driver is leaving, or has more to do than it can hear.
            cell.retired = true;
            cell.assigned -= 1;
            if let Command::Assign(back) = error.into_inner() {
                self.returned.extend(back);
            }
        }
    }

    /// A run that must be alone waits: one cell takes no more until it is empty.
    fn drain_one(&mut self) {
        let usable = |cell: &&mut Cell| !cell.retired;
        if !self.cells.values().any(|cell| cell.draining)
            && let Some(cell) =
                self.cells.values_mut().filter(usable).min_by_key(|cell| cell.assigned)
        {
            cell.draining = true;
        }
    }

    /// Places what came back, as far as there is room.
    pub(super) fn place_returned(&mut self) {
        for _ in 0..self.returned.len() {
            if let Some(assignment) = self.returned.pop_front() {
                self.place(assignment);
            }
        }
        if !self.returned.iter().any(|waiting| waiting.suspect) {
            self.cells.values_mut().for_each(|cell| cell.draining = false);
        }
    }

    pub(super) fn finished(&mut self, cell: CellId, runs: usize, evaluated: Duration) {
        let each = evaluated / u32::try_from(runs.max(1)).unwrap_or(u32::MAX);
        self.average = Some(match self.average {
            Some(average) => (average * 7 + each) / 8,
            None => each,
        });
        if let Some(cell) = self.cells.get_mut(&cell) {
            cell.assigned = cell.assigned.saturating_sub(runs);
            cell.closed = false;
        }
    }

    pub(super) fn returned(&mut self, cell: CellId, runs: usize, assignments: Vec<Assignment>) {
        if let Some(cell) = self.cells.get_mut(&cell) {
            cell.assigned = cell.assigned.saturating_sub(runs);
            cell.closed = cell.assigned > 0;
        }
        // The run before them takes long: until it ends the average does not know that yet.
        self.average = Some(self.average.unwrap_or_default().max(SHORT));
        self.returned.extend(assignments);
    }

    pub(super) fn retired(&mut self, cell: CellId) {
        if let Some(cell) = self.cells.get_mut(&cell) {
            cell.retired = true;
        }
    }

    pub(super) fn gone(&mut self, cell: CellId, leftover: Vec<Assignment>, failed: bool) {
        self.cells.remove(&cell);
        self.returned.extend(leftover);
        self.failed = failed;
    }

    /// Whether a run that must be alone waits for a cell that could be started.
    pub(super) fn wants_one_alone(&self) -> bool {
        self.returned.iter().any(|waiting| waiting.suspect) && self.demand().wants > 0
    }

    pub(super) fn try_again(&mut self) {
        self.failed = false;
    }

    pub(super) fn take_returned(&mut self) -> Vec<Assignment> {
        self.returned.drain(..).collect()
    }

    /// Takes out what came back and found no room. What must be alone stays: the queue does not
    /// know of that.
    pub(super) fn take_crowded(&mut self) -> Vec<Assignment> {
        let (alone, crowded): (Vec<_>, Vec<_>) =
            self.returned.drain(..).partition(|waiting| waiting.suspect);
        self.returned = alone.into();
        crowded
    }

    pub(super) fn links(&self) -> impl Iterator<Item = &Link> {
        self.cells.values().map(|cell| &cell.link)
    }

    /// What its cells do, for whoever asks.
    pub(super) fn cells(&self) -> Cells {
        Cells {
            cells: self.cells.len(),
            busy: self.cells.values().filter(|cell| cell.assigned > 0).count(),
            limit: self.limits.concurrency,
            failed: self.failed,
        }
    }

    pub(super) fn is_gone(&self) -> bool {
        self.cells.is_empty() && self.returned.is_empty() && self.claiming == 0
    }
}

impl Cell {
    fn room(&self, depth: usize) -> usize {
        if self.closed || self.draining || self.retired {
            0
        } else {
            depth.saturating_sub(self.assigned)
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;

    use super::*;

    #[test]
    fn runs_that_are_being_claimed_have_their_place() {
        let mut pool = Pool { waiting: 9, ..Pool::default() };
        let (commands, _inbox) = mpsc::channel(1);
        pool.grow(Link { cell: 1, commands });
        assert_eq!(pool.room(), 1);
        pool.claiming(1);
        assert_eq!(pool.room(), 0, "nothing more is claimed for that place");
        assert!(!pool.is_gone());
        pool.gone(1, Vec::new(), false);
        assert!(!pool.is_gone(), "a claim that is on its way will have to be placed or given back");
        pool.claimed(1);
        assert!(pool.is_gone());
    }
}

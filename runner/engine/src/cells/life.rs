//! The life of a run in a cell: begun, recorded, stopped, ended, given back.

use std::sync::Arc;

use signalbox_cell::protocol::ToCell;
use signalbox_core::answer::answer_of;
use signalbox_core::journal::Chunk;
use signalbox_core::run::{Ending, State};
use signalbox_store::contract::Write;
use tokio::time::Instant;

use super::active::{Active, Phase, Stop};
use super::driver::Driver;
use crate::handlers::Ended;
use crate::link::{Assignment, Message};
use crate::recorder::{Job, Then};

impl Driver {
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
        active.suspend = active.abort();
        active.phase = Phase::Stopping { why, since: Instant::now() };
        self.push(&ToCell::Unwind { run: number });
    }

    /// Asks for the runs back that have not begun.
    pub(super) fn recall(&mut self) {
        if self.order.len() > 1 && !self.recalled {
            self.recalled = true;
            self.recalls += 1;
            self.push(&ToCell::Recall);
        }
    }

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
            let overdue =
                head.assignment.claim.run.deadline.is_some_and(|at| at <= self.shared.clock.now());
            let why = match (head.cancelled, overdue) {
                (true, _) => Some(Stop::Cancel),
                (false, true) => Some(Stop::Overdue),
                (false, false) => None,
            };
            let Some(number) = self.order.front().copied() else { return };
            if let Some(why) = why {
                self.stop(number, why);
            }
        }
    }

    /// Puts what a run has buffered on its way to the store.
    pub(super) async fn flush(&mut self, number: u32) {
        let chunk = self.runs.get_mut(&number).and_then(|active| active.take(false));
        if let Some(chunk) = chunk {
            self.append(number, chunk, Then::Nothing).await;
        }
    }

    /// Appends a chunk to the record of a run.
    pub(super) async fn append(&mut self, number: u32, chunk: (u32, Chunk), then: Then) {
        if let Some(active) = self.runs.get(&number) {
            self.append_of(active, chunk, then).await;
        }
    }

    pub(super) async fn append_of(
        &self,
        active: &Active,
        (chunk_number, chunk): (u32, Chunk),
        then: Then,
    ) {
        let now = self.shared.clock.now();
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
    }

    pub(super) async fn record(&self, job: Job) {
        if !self.jobs.send(job).await {
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
        let started_at = active.started_at(now);
        let Assignment { claim, pinned, .. } = &active.assignment;
        let ended = Ended {
            run: &claim.run,
            attempt: claim.attempt,
            pinned,
            ending: &ending,
            started_at: Some(started_at),
            at: now,
        };
        let aftermath = self.shared.aftermath(&ended);
        let write = Write::End {
            run: active.id().clone(),
            epoch: active.epoch(),
            number: chunk_number,
            started_at,
            chunk,
            answer: answer_of(&ending),
            aftermath,
            ending,
            ended_at: now,
            isolation: self.isolation.unwrap_or(0),
        };
        let of = Arc::clone(&active.of);
        self.record(Job { of, write, then: Then::State(state) }).await;
    }

    /// Ends a run that the cell has or will have without asking the cell. What it says of the run
    /// later is ignored; a cell with such a run is not used for more.
    pub(super) async fn give_up(&mut self, number: u32, ending: Ending) {
        self.end(number, Chunk::default(), ending).await;
        self.retire().await;
    }

    /// Takes no more work; what there is, is done.
    pub(super) async fn retire(&mut self) {
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
        active.abort();
        self.order.retain(|other| *other != number);
        self.shared.unlink(active.id());
        self.idle = Instant::now();
        self.recalled &= self.order.len() > 1;
        Some(active)
    }

    /// Gives runs back to the dispatcher that the cell has not begun.
    pub(super) async fn returned(&mut self, numbers: Vec<u32>) {
        let mut assignments = Vec::new();
        let before = self.runs.len();
        let first = self.order.front().copied();
        for number in numbers {
            let Some(active) = self.runs.get(&number) else { continue };
            if let Phase::Stopping { why, .. } = active.phase {
                self.stopped(number, why).await;
            } else if active.cancelled {
                self.end(number, Chunk::default(), Ending::Cancelled).await;
            } else {
                let assignment = self.forget(number).map(|active| active.assignment);
                // A cell that was slow may not have begun the first one either. When that goes on, the
                // run is evaluated alone: there it is not recalled.
                assignments.extend(assignment.map(|given| given.again(first == Some(number))));
            }
        }
        let runs = before - self.runs.len();
        self.recalled = false;
        let (cell, workspace) = (self.id, self.workspace.clone());
        drop(
            self.shared
                .dispatcher
                .send(Message::Returned { cell, workspace, runs, assignments })
                .await,
        );
    }
}

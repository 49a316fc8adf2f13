//! The end of a cell, and what becomes of the runs that it had.

use std::sync::Arc;

use signalbox_core::bounds::Figure;
use signalbox_core::codes::Code;
use signalbox_core::journal::Chunk;
use signalbox_core::run::{Ending, Reason, RunError, State};
use signalbox_store::contract::Write;
use tokio::sync::mpsc;

use super::active::{Phase, Stop};
use super::driver::{Driver, Exit};
use crate::doors::Ended;
use crate::link::{Assignment, Command, Message};
use crate::recorder::{Job, Then};

impl Driver {
    pub(super) async fn leave(mut self, exit: Exit) {
        if let Exit::Hostile(fault) = &exit {
            tracing::warn!(workspace = %self.workspace, fault, "a cell broke the protocol and is killed");
        }
        // A cell that dies before it takes work is not started again at once.
        let failed = self.isolation.is_none() && !matches!(exit, Exit::Done);
        let ended = self.process.reap().await;
        if failed {
            tracing::error!(workspace = %self.workspace, ?ended, "a cell ended before it was ready");
        }
        let hostile = matches!(exit, Exit::Hostile(_));
        let mut back = self.settle(&ended, hostile).await;
        let Self { shared, id, workspace, inbox, jobs, recorder, .. } = self;
        back.extend(leftover(inbox).await);
        // Only when everything is recorded is the cell gone: whoever closes the store waits for it.
        drop(jobs);
        if let Err(error) = recorder.await {
            tracing::error!(%error, "the recorder of a cell failed");
        }
        let gone = Message::Gone { cell: id, workspace, leftover: back, failed };
        drop(shared.dispatcher.send(gone).await);
    }

    /// Settles the runs that a lost cell had. Answers those to be evaluated elsewhere.
    async fn settle(&mut self, ended: &Ended, hostile: bool) -> Vec<Assignment> {
        let numbers: Vec<_> = self.order.iter().copied().collect();
        let head = self.order.front().and_then(|run| self.runs.get(run));
        let seen = head.is_some_and(|head| head.seen);
        // A cell that somebody killed may have been dead before it got the run.
        let blamed = seen || hostile || !ended.is_kill();
        let known = blamed && (numbers.len() == 1 || seen);
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
            let memory = active.assignment.pinned.spec.grants.limits.memory;
            let message = format!(
                "its cell ran out of memory or stack, twice; work in pieces, or have the root \
                 manifest grant more `limits.memory` than {}",
                Figure::Bytes(memory)
            );
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
            // One that is fenced may be somebody else's: then this is refused too. Or the answer of
            // a commit was lost and its repetition refused: then it goes on from its journal.
            Stop::Shutdown | Stop::Fenced => self.release(number, false).await,
            Stop::Cancel => self.end(number, Chunk::default(), Ending::Cancelled).await,
            Stop::TimedOut => {
                let ending =
                    failed(Reason::TimedOut, Code::RunTimedOut, "it took longer than it may");
                self.end(number, Chunk::default(), ending).await;
            }
            Stop::Overdue => {
                let ending = Ending::Failed(Reason::TimedOut, crate::deadline::overdue());
                self.end(number, Chunk::default(), ending).await;
            }
            Stop::JournalFull => {
                let message = "its journal is full: at most 10,000 effects and 64 MiB; \
                               go on in a successor: `continue_as(inputs)`";
                let ending = failed(Reason::LimitExceeded, Code::LimitExceeded, message);
                self.end(number, Chunk::default(), ending).await;
            }
        }
    }

    /// A run that waits holds nothing from now on.
    async fn suspend(&mut self, number: u32) {
        let Some(mut active) = self.forget(number) else { return };
        // Nothing of what it did since may be lost: it is not asked for again.
        if let Some(chunk) = active.take(false) {
            self.append_of(&active, chunk, Then::Nothing).await;
        }
        let waits_for = std::mem::take(&mut active.suspend);
        let write = Write::Suspend {
            run: active.id().clone(),
            epoch: active.epoch(),
            waits_for,
            active_us: active.active_us(),
        };
        let of = Arc::clone(&active.of);
        self.record(Job { of, write, then: Then::State(State::Suspended) }).await;
    }
}

/// Everything that was assigned and not looked at.
pub(super) async fn leftover(mut inbox: mpsc::Receiver<Command>) -> Vec<Assignment> {
    inbox.close();
    let mut assignments = Vec::new();
    while let Some(command) = inbox.recv().await {
        if let Command::Assign(more) = command {
            assignments.extend(more);
        }
    }
    assignments
}

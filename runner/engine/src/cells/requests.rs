//! What a cell says, taken in: nothing of it is believed.

use std::sync::Arc;

use signalbox_cell::protocol::{End, FromCell};
use signalbox_core::codes::Code;
use signalbox_core::journal::Chunk;
use signalbox_core::run::{Ending, Reason, RunError};
use signalbox_store::contract::Write;

use super::active::{Active, Phase, Stop};
use super::assign::dynamic;
use super::driver::Driver;
use super::plausible::check_reason;
use crate::border::{MAX_VALUE, check_value};
use crate::recorder::{Job, Then};
use crate::way::{self, Station};

impl Driver {
    /// Takes one frame in.
    ///
    /// # Errors
    /// What is wrong with a frame that no cell sends at this point: the cell must go.
    pub(super) async fn take_frame(&mut self, frame: FromCell) -> Result<(), String> {
        match frame {
            // A level that is claimed later is no level that was reached.
            FromCell::Ready { .. } if self.isolation.is_some() => {
                Err("it says twice that it is ready".to_owned())
            }
            _ if self.isolation.is_none() && !matches!(frame, FromCell::Ready { .. }) => {
                Err("it speaks before it is ready".to_owned())
            }
            FromCell::Ready { isolation, .. } => {
                self.isolation = Some(isolation.min(3));
                self.shared.set_isolation(isolation.min(3));
                Ok(())
            }
            FromCell::Began { run } => {
                self.head(run)?.seen = true;
                Ok(())
            }
            FromCell::Effect(effect) => self.effect(*effect).await,
            FromCell::Waiting { run, seen } => {
                let head = self.head(run)?;
                if !head.has_pending() && !matches!(head.phase, Phase::Stopping { .. }) {
                    return Err("it waits for nothing".to_owned());
                }
                head.waits(seen);
                Ok(())
            }
            FromCell::Flush { run, chunk } => {
                let head = self.head(run)?;
                head.seen = true;
                if let Phase::Stopping { .. } = head.phase {
                    return Ok(());
                }
                let within = head.take_in(chunk)?;
                self.flush(run).await;
                if !within {
                    self.stop(run, Stop::JournalFull);
                }
                Ok(())
            }
            FromCell::Ended { run, chunk, end } => self.ended(run, chunk, end).await,
            FromCell::Unwound { run } => {
                let Phase::Stopping { why, .. } = self.head(run)?.phase else {
                    return Err("a run was stopped that nobody stopped".to_owned());
                };
                self.stopped(run, why).await;
                Ok(())
            }
            FromCell::Returned { runs } => {
                // The first in line may be among them: it was not begun when the one before ended.
                let begun = |run: &u32| self.runs.get(run).is_some_and(|active| active.seen);
                if runs.iter().any(begun) {
                    return Err("it gives a run back that it had begun".to_owned());
                }
                self.recalls =
                    self.recalls.checked_sub(1).ok_or("it returns what nobody recalled")?;
                self.returned(runs).await;
                Ok(())
            }
            FromCell::Facts(_) | FromCell::Checked => {
                Err("a check was answered that nobody asked for".to_owned())
            }
        }
    }

    /// The run that the cell evaluates, if it is the one that the cell speaks of.
    pub(super) fn head(&mut self, run: u32) -> Result<&mut Active, String> {
        if self.order.front() != Some(&run) {
            return Err("it speaks for a run that it does not evaluate".to_owned());
        }
        self.runs.get_mut(&run).ok_or_else(|| "it speaks for an unknown run".to_owned())
    }

    async fn ended(&mut self, run: u32, chunk: Chunk, end: End) -> Result<(), String> {
        let head = self.head(run)?;
        way::passed(head.id(), Station::Evaluated);
        match head.phase {
            // Stopping is sticky: what the script made of it does not count.
            Phase::Stopping { why, .. } if why != Stop::Suspend => {
                self.stopped(run, why).await;
                return Ok(());
            }
            // A run that fails in one branch awaits all others.
            Phase::Evaluating | Phase::Sent if head.has_pending() => {
                return Err("a run ended with effects under way".to_owned());
            }
            Phase::Stopping { .. } | Phase::Evaluating | Phase::Sent => {}
        }
        head.check(&chunk)?;
        match end {
            End::Incompatible(message) => self.park(run, message).await,
            End::NotWanted if !self.may_be_unwanted(run) => {
                return Err("a run is not wanted that nobody asked about".to_owned());
            }
            End::NotWanted => self.end(run, chunk, Ending::Skipped(Reason::NotWanted)).await,
            End::ContinueAs(inputs) => self.continue_as(run, chunk, &inputs).await,
            End::Error(reason, error, failure) => {
                check_reason(reason)?;
                self.failed(run, chunk, (reason, bounded(error)), &failure).await;
            }
            End::Result(result) => {
                let ending = match check_value(&result, MAX_VALUE, "its result") {
                    Ok(()) => Ending::Succeeded(result),
                    Err(failure) => Ending::Failed(
                        Reason::ScriptError,
                        RunError::plain(failure.code, failure.message),
                    ),
                };
                self.end(run, chunk, ending).await;
            }
        }
        Ok(())
    }

    /// Whether the cell was asked if the run is wanted at all.
    fn may_be_unwanted(&self, run: u32) -> bool {
        self.runs.get(&run).is_some_and(|active| dynamic(&active.assignment).is_some())
    }

    async fn park(&mut self, run: u32, message: String) {
        let Some(active) = self.forget(run) else { return };
        let write = Write::Park {
            run: active.id().clone(),
            epoch: active.epoch(),
            message: signalbox_core::journal::cut(message, 4096),
            reason: Reason::Incompatible,
        };
        let of = Arc::clone(&active.of);
        let then = Then::State(signalbox_core::run::State::Suspended);
        self.record(Job { of, write, then }).await;
    }
}

/// An error as a cell sends it, brought within its bounds.
fn bounded(mut error: RunError) -> RunError {
    error.message = signalbox_core::secret::hide_markers(&error.message);
    error.message = signalbox_core::journal::cut(error.message, 4096);
    error.file = error.file.map(|file| signalbox_core::journal::cut(file, 512));
    if error.code == Code::Internal {
        error.code = Code::ScriptError;
    }
    error
}

//! Gives runs to a cell, with whatever it needs first.

use std::sync::Arc;

use signalbox_cell::protocol::{About, Start, ToCell};
use signalbox_core::bounds::{self, Figure};
use signalbox_core::codes::Code;
use signalbox_core::journal::{Chunk, Entry};
use signalbox_core::run::{Ending, Reason, RunError, Trigger};
use signalbox_core::schedule::Dynamic;
use signalbox_store::contract::{Claim, Write, Written};

use super::active::{Active, size};
use super::driver::Driver;
use crate::link::{Assignment, Link};
use crate::options::Error;
use crate::way::{self, Station};

/// Most bytes of journal in one frame, well below the largest frame.
const JOURNAL_FRAME: usize = 1 << 20;

impl Driver {
    /// Sends a run to the cell, with whatever it needs first.
    pub(super) async fn assign(&mut self, mut assignment: Assignment) {
        self.next += 1;
        let number = self.next;
        if assignment.claim.note && !self.note(&mut assignment.claim).await {
            self.runs.insert(number, Active::new(assignment, &[]));
            self.order.push_back(number);
            self.release(number, false).await;
            return self.retire().await;
        }
        match self.frames_of(number, &assignment).await {
            Ok((frames, journal)) => {
                let link = Link { cell: self.id, commands: self.commands.clone() };
                let active = Active::new(assignment, &journal);
                self.shared.link(active.id().clone(), link);
                way::passed(active.id(), Station::Sent);
                self.runs.insert(number, active);
                self.order.push_back(number);
                let too_large = frames.iter().any(|frame| self.wire.push(frame).is_err());
                if too_large {
                    let most = Figure::Bytes(bounds::FRAME as u64);
                    let message = format!("what the run needs does not fit a frame of {most}");
                    let error = RunError::plain(Code::LimitExceeded, message);
                    self.give_up(number, Ending::Failed(Reason::LimitExceeded, error)).await;
                }
            }
            Err(error) => {
                tracing::error!(run = %assignment.claim.run.id, %error, "cannot prepare a run");
                let assignment =
                    if error.is_permanent() { self.heard(assignment) } else { assignment };
                self.runs.insert(number, Active::new(assignment, &[]));
                self.order.push_back(number);
                if error.is_permanent() {
                    let message = format!("cannot prepare the run: {error}");
                    let error = RunError::plain(Code::Internal, message);
                    self.give_up(number, Ending::Failed(Reason::ScriptError, error)).await;
                } else {
                    self.release(number, false).await;
                    self.retire().await;
                }
            }
        }
    }

    /// Notes durably that a run is evaluated, before it is: should the runner die of it, the next
    /// start knows. Answers whether it worked.
    async fn note(&self, claim: &mut Claim) -> bool {
        let write = Write::Append {
            run: claim.run.id.clone(),
            epoch: claim.epoch,
            number: claim.next_chunk,
            started_at: claim.started_at.unwrap_or_else(|| self.shared.clock.now()),
            chunk: Chunk::default(),
            internal: None,
        };
        match self.shared.store.commit(vec![write]).await.map(|mut written| written.pop()) {
            Ok(Some(Written::Done(_))) => {
                claim.note = false;
                claim.next_chunk += 1;
                true
            }
            Ok(refused) => {
                tracing::warn!(run = %claim.run.id, ?refused, "cannot note a run");
                false
            }
            Err(error) => {
                tracing::warn!(run = %claim.run.id, %error, "cannot note a run");
                false
            }
        }
    }

    /// A run whose files are lost is handled by what is live: its own handlers are lost with them.
    fn heard(&self, assignment: Assignment) -> Assignment {
        let live = self.shared.live_revision(&assignment.claim.run.workspace);
        Assignment { pinned: live.unwrap_or(assignment.pinned), ..assignment }
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
        let seed = u64::from_le_bytes(self.shared.random()?);
        frames.push(ToCell::Start(Box::new(Start {
            run: number,
            program,
            inputs: claim.run.inputs.clone(),
            about: about(assignment),
            marker_key: self.shared.secrets.marker_key(&claim.run.id),
            seed,
            journal: entries,
            active_us: claim.active_us,
            dynamic: dynamic(assignment),
        })));
        Ok((frames, journal))
    }
}

/// A journal in frames that are well below the largest.
fn in_frames(run: u32, journal: &[Entry]) -> Vec<ToCell> {
    let mut frames = Vec::new();
    let mut part = Vec::new();
    let mut bytes = 0;
    for entry in journal {
        part.push(entry.clone());
        bytes += size(entry);
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

/// What decides whether the run is wanted: its schedule's, at the revision that it is pinned to.
pub(super) fn dynamic(assignment: &Assignment) -> Option<Dynamic> {
    let run = &assignment.claim.run;
    let Trigger::Schedule { schedule, .. } = &run.trigger else { return None };
    let flow = assignment.pinned.spec.flows.get(&run.flow)?;
    flow.schedules.iter().find(|known| known.id() == *schedule)?.dynamic.clone()
}

/// What a run is told of itself.
fn about(assignment: &Assignment) -> About {
    let Assignment { claim, pinned, .. } = assignment;
    let (slot, caller) = match &claim.run.trigger {
        Trigger::Schedule { slot, .. } => (Some(slot.0), None),
        Trigger::Call { caller, .. } | Trigger::Flow { caller, .. } => {
            (None, Some(caller.to_string()))
        }
        Trigger::Handler { flow, .. } => (None, Some(flow.to_string())),
        Trigger::Alarm { .. }
        | Trigger::Webhook { .. }
        | Trigger::Api
        | Trigger::Retry { .. }
        | Trigger::Continue { .. } => (None, None),
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

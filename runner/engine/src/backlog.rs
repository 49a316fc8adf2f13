//! How much of what a cell's runs did is on its way to the store.
//!
//! A cell writes faster than a disk does. As long as more than [`ROOM`] waits, its driver reads nothing
//! more of it: the cell waits in its socket, and the runner's memory does not grow with what it says.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use signalbox_core::journal::{Chunk, Outcome};
use signalbox_core::run::Ending;
use signalbox_store::contract::{Internal, InternalEffect, StateChange, Write};
use tokio::sync::Notify;

/// What may wait, in bytes: two chunks of the size in which a cell sends them, so that a disk is never idle.
const ROOM: usize = 2 << 20;

/// The count, shared by a driver and its recorder.
#[derive(Debug, Clone, Default)]
pub(crate) struct Backlog(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    bytes: AtomicUsize,
    less: Notify,
}

impl Backlog {
    /// Something is on its way.
    pub(crate) fn add(&self, bytes: usize) {
        self.0.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Something has arrived.
    pub(crate) fn remove(&self, bytes: usize) {
        self.0.bytes.fetch_sub(bytes, Ordering::Relaxed);
        self.0.less.notify_one();
    }

    /// Whether more is on its way than may be.
    pub(crate) fn is_full(&self) -> bool {
        self.0.bytes.load(Ordering::Relaxed) > ROOM
    }

    /// Resolves when some of it has arrived.
    pub(crate) async fn less(&self) {
        self.0.less.notified().await;
    }
}

/// About how many bytes of a cell a write holds.
pub(crate) fn weight(write: &Write) -> usize {
    match write {
        Write::Append { chunk, internal, .. } => {
            of_chunk(chunk) + internal.as_deref().map_or(0, of_internal)
        }
        Write::End { chunk, ending, .. } => {
            let result = match ending {
                Ending::Succeeded(result) => result.len(),
                Ending::Failed(..) | Ending::Cancelled | Ending::Skipped(_) => 0,
            };
            of_chunk(chunk) + result
        }
        Write::Retry { chunk, .. } => of_chunk(chunk),
        Write::Continue { chunk, successor, .. } => of_chunk(chunk) + successor.inputs.len(),
        Write::Suspend { .. }
        | Write::Release { .. }
        | Write::Park { .. }
        | Write::Cancel { .. }
        | Write::Fail { .. } => 0,
    }
}

fn of_internal(internal: &Internal) -> usize {
    match &internal.effect {
        InternalEffect::State { change, .. } => match change {
            StateChange::Set(value) => value.len(),
            StateChange::Swap { expected, value } => {
                value.len() + expected.as_ref().map_or(0, Vec::len)
            }
            StateChange::Add(_) | StateChange::Delete => 0,
        },
        InternalEffect::Call(call) => call.run.inputs.len(),
        InternalEffect::Flow(flow) => flow.run.inputs.len(),
        InternalEffect::Wait { .. }
        | InternalEffect::Sleep { .. }
        | InternalEffect::Refused(..) => 0,
    }
}

fn of_chunk(chunk: &Chunk) -> usize {
    let entries = chunk.entries.iter().map(|entry| {
        let outcome = match &entry.outcome {
            Outcome::Pending => 0,
            Outcome::Done(bytes) => bytes.len(),
            Outcome::Failed(failure) => failure.message.len(),
        };
        outcome + entry.key.scope.len() + 64
    });
    let lines = chunk.logs.iter().map(|line| line.message.len() + 64);
    let steps = chunk.steps.iter().map(|step| step.id.len() + 64);
    entries.sum::<usize>() + lines.sum::<usize>() + steps.sum::<usize>()
}

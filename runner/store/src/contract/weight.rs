//! How much a write holds: for bounds of what waits, and for the order in which it is written.

use signalbox_core::journal::{Chunk, Outcome};
use signalbox_core::run::Ending;

use super::{Internal, InternalEffect, StateChange, Write};

impl Write {
    /// About how many bytes of a cell it holds.
    #[must_use]
    pub fn weight(&self) -> usize {
        match self {
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

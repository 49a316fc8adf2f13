//! What runs waited for.

use anyhow::{Result, ensure};
use signalbox_core::journal::{Entry, Outcome};
use signalbox_core::run::State;
use signalbox_store::contract::RunView;

/// A run that has ended waits for nothing, and one that succeeded has slept to the end, each time.
pub(super) fn are_over(run: &RunView, journal: &[Entry]) -> Result<()> {
    ensure!(run.waits.is_empty(), "it has ended and waits for {:?}", run.waits);
    if run.summary.state != State::Succeeded {
        return Ok(());
    }
    for sleep in journal.iter().filter(|entry| entry.kind.starts_with("sleep")) {
        let done = matches!(sleep.outcome, Outcome::Done(_));
        ensure!(done, "it succeeded, and its sleep is {:?}", sleep.outcome);
    }
    Ok(())
}

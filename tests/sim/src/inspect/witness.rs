//! The witness: looks at all there is, and asks everybody who knows a promise.

use anyhow::{Context as _, Result, ensure};
use signalbox_core::journal::Entry;
use signalbox_store::Store;
use signalbox_store::contract::RunView;
use signalbox_store::sqlite::SqliteStore;

use super::seen::{Seen, line};
use super::{always, calls, endings, handlers, slots, waits};
use crate::model::Model;
use crate::revisions::Revisions;
use crate::trace::Trace;

/// What is held against the store.
#[derive(Debug)]
pub(crate) struct Witness<'a> {
    pub(crate) model: &'a Model,
    pub(crate) trace: &'a Trace,
    pub(crate) revisions: &'a Revisions,
}

/// What holds at every moment, seen by whoever opens the store next.
pub(crate) async fn between_lives(store: &SqliteStore, witness: &Witness<'_>) -> Result<()> {
    always::holds(store, &Seen::of(store).await?, &mut witness.model.known())
}

/// What holds once everything had its time without faults.
pub(crate) async fn at_the_end(store: &SqliteStore, witness: &Witness<'_>) -> Result<()> {
    between_lives(store, witness).await?;
    let mut seen = Seen::of(store).await?;
    // A slot that fired in the last moment has not had its time.
    let settled = witness.model.known().settled;
    seen.runs.retain(|_, run| {
        run.summary.state.is_terminal()
            || slots::slot_of(run).is_none()
            || settled.is_none_or(|settled| run.summary.queued_at < settled)
    });
    for run in seen.runs.values() {
        ensure!(run.summary.state.is_terminal(), "it has not ended: {}", line(run));
        witness.trace.count(&endings::ending_of(run));
        let journal = store.journal(&run.summary.id).await?;
        looks_right(run, &journal, &seen, witness)
            .with_context(|| format!("{}\n  it is {}", line(run), seen.relatives(run)))?;
        endings::effects_happened_once(store, run, &seen, witness.model)
            .await
            .with_context(|| line(run))?;
    }
    let known = witness.model.known();
    calls::requests_start_one_run(&seen)?;
    handlers::started_once(&seen, &known)?;
    slots::fired_once(&seen, &known)
}

fn looks_right(run: &RunView, journal: &[Entry], seen: &Seen, witness: &Witness<'_>) -> Result<()> {
    let versions = witness.revisions.versions();
    let version = versions.get(&run.summary.revision).copied().unwrap_or(0);
    endings::is_that_of_its_flow(run, version, seen, &witness.model.known())?;
    calls::are_recorded_once(run, journal, seen)?;
    calls::successors_are_one_each(run, seen)?;
    waits::are_over(run, journal)
}

/// The runs that have not ended, for people.
pub(crate) async fn open(store: &dyn Store) -> Result<String> {
    let seen = Seen::of(store).await?;
    let open = seen.runs.values().filter(|run| !run.summary.state.is_terminal());
    Ok(open.map(line).collect::<Vec<_>>().join("; "))
}

//! What holds at every moment.

use anyhow::{Result, bail, ensure};
use signalbox_core::RunId;
use signalbox_core::run::State;
use signalbox_store::Store as _;
use signalbox_store::contract::{RunView, WaitKind};
use signalbox_store::sqlite::SqliteStore;

use super::seen::{Seen, line};
use crate::model::{Ended, Known};

pub(super) fn holds(store: &SqliteStore, seen: &Seen, known: &mut Known) -> Result<()> {
    if let Some(broken) = known.broken.first() {
        bail!("{broken}");
    }
    terminal_stays_terminal(seen, known)?;
    accepted_runs_are_there(seen, known)?;
    every_waiting_run_has_a_wake(store, seen)
}

fn terminal_stays_terminal(seen: &Seen, known: &mut Known) -> Result<()> {
    for (id, run) in &seen.runs {
        if let Some(before) = known.ended.get(id) {
            let now = end_of(run);
            ensure!(*before == now, "run {id} had ended as {before:?} and is {now:?}");
        } else if run.summary.state.is_terminal() {
            known.ended.insert(id.clone(), end_of(run));
        }
    }
    Ok(())
}

fn end_of(run: &RunView) -> Ended {
    Ended { state: run.summary.state, result: run.result.clone(), at: run.summary.ended_at }
}

fn accepted_runs_are_there(seen: &Seen, known: &Known) -> Result<()> {
    for run in &known.accepted {
        ensure!(seen.runs.contains_key(run), "run {run} was accepted and is not there");
    }
    Ok(())
}

/// A run that waits has a callee that has not ended, or a moment at which it is woken; and the store
/// says that something is due by then.
fn every_waiting_run_has_a_wake(store: &SqliteStore, seen: &Seen) -> Result<()> {
    let due = *store.due().borrow();
    for run in seen.runs.values().filter(|run| run.summary.state == State::Suspended) {
        let pending = |callee: &RunId| {
            let callee = seen.runs.get(callee);
            callee.is_some_and(|callee| !callee.summary.state.is_terminal())
        };
        let wake = run.waits.iter().any(|wait| match &wait.kind {
            WaitKind::Run(callee) => wait.until.is_some() || pending(callee),
            WaitKind::Moment | WaitKind::Retry => wait.until.is_some(),
        });
        ensure!(wake, "nothing wakes the waiting {}", line(run));
        for until in run.waits.iter().filter_map(|wait| wait.until).chain(run.deadline) {
            let known = due.is_some_and(|due| due <= until);
            ensure!(known, "nothing is due at {until} ({due:?}), which wakes {}", line(run));
        }
    }
    Ok(())
}

//! What must hold, whatever happened. Looked at between two lives of a runner, and at the end.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail, ensure};
use signalbox_core::codes::Code;
use signalbox_core::journal::{Entry, Outcome};
use signalbox_core::run::{Reason, State, Trigger};
use signalbox_core::{RunId, Value, value};
use signalbox_store::Store;
use signalbox_store::contract::{CallDecision, CallFilter, CallView, RunFilter, RunView, WaitKind};

use crate::catalogue::{self, EVERY, Ends, Flow, HASTY};
use crate::model::{Ended, Known, Model};
use crate::revisions::Revisions;
use crate::trace::Trace;

/// What is held against the store.
#[derive(Debug)]
pub(crate) struct Witness<'a> {
    pub(crate) model: &'a Model,
    pub(crate) trace: &'a Trace,
    pub(crate) revisions: &'a Revisions,
}

/// Every run and call of a store.
struct Seen {
    runs: BTreeMap<RunId, RunView>,
    /// The calls of each run, in order.
    calls: BTreeMap<RunId, Vec<CallView>>,
}

/// What holds at every moment, seen by whoever opens the store next.
pub(crate) async fn between_lives(store: &dyn Store, witness: &Witness<'_>) -> Result<()> {
    let seen = look(store).await?;
    nothing_known_is_broken(&seen, &mut witness.model.known())?;
    every_waiting_run_has_a_wake(&seen)
}

/// What holds once everything had its time without faults.
pub(crate) async fn at_the_end(store: &dyn Store, witness: &Witness<'_>) -> Result<()> {
    between_lives(store, witness).await?;
    let seen = look(store).await?;
    for run in seen.runs.values() {
        let id = &run.summary.id;
        ensure!(run.summary.state.is_terminal(), "run {id} has not ended: {}", line(run));
    }
    let versions = witness.revisions.versions();
    for run in seen.runs.values() {
        let flow = catalogue::find(run.summary.workspace.as_str(), run.summary.flow.as_str());
        let flow = flow.with_context(|| format!("a run of an unknown flow: {}", line(run)))?;
        witness.trace.count(&ending_of(run));
        let version = versions.get(&run.summary.revision).copied().unwrap_or(0);
        ended_as_it_should(run, (flow, version), &seen, &witness.model.known())
            .with_context(|| format!("{}\n  it is {}", line(run), relatives(run, &seen)))?;
        effects_happened_once(store, run, flow).await.with_context(|| line(run))?;
        calls_are_recorded_once(store, run, flow, &seen).await.with_context(|| line(run))?;
    }
    let known = witness.model.known();
    keys_start_one_run(&seen)?;
    slots_fired_once(&seen, &known)
}

fn ending_of(run: &RunView) -> String {
    let summary = &run.summary;
    let reason = summary.reason.map(|reason| format!(", {}", reason.as_str()));
    let (flow, state) = (&summary.flow, summary.state.as_str());
    format!("{}/{flow} {state}{}", summary.workspace, reason.unwrap_or_default())
}

/// The runs that have not ended, for people.
pub(crate) async fn open(store: &dyn Store) -> Result<String> {
    let seen = look(store).await?;
    let open = seen.runs.values().filter(|run| !run.summary.state.is_terminal());
    Ok(open.map(line).collect::<Vec<_>>().join("; "))
}

async fn look(store: &dyn Store) -> Result<Seen> {
    let mut seen = Seen { runs: BTreeMap::new(), calls: BTreeMap::new() };
    let mut cursor = None;
    loop {
        let filter = RunFilter { limit: 1_000, cursor, ..RunFilter::default() };
        let page = store.runs(filter).await?;
        for run in page.items {
            seen.runs.insert(run.id.clone(), store.run(&run.id).await?);
        }
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    loop {
        let page =
            store.calls(CallFilter { limit: 1_000, cursor, ..CallFilter::default() }).await?;
        for call in page.items {
            if let Some(caller) = call.record.caller_run.clone() {
                seen.calls.entry(caller).or_default().insert(0, call);
            }
        }
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    Ok(seen)
}

fn line(run: &RunView) -> String {
    let summary = &run.summary;
    let error = summary.error.as_ref().map(|error| format!(" {}: {}", error.code, error.message));
    format!(
        "run {} of {}/{} is {}{}",
        summary.id,
        summary.workspace,
        summary.flow,
        summary.state.as_str(),
        error.unwrap_or_default()
    )
}

fn relatives(run: &RunView, seen: &Seen) -> String {
    let callees: Vec<_> = callees(run, seen).map(line).collect();
    format!("{:?}, it called {callees:?}", run.summary.trigger)
}

fn nothing_known_is_broken(seen: &Seen, known: &mut Known) -> Result<()> {
    if let Some(broken) = known.broken.first() {
        bail!("{broken}");
    }
    terminal_stays_terminal(seen, known)?;
    accepted_runs_are_there(seen, known)
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

/// A run that waits has a callee that has not ended, or a moment at which it is woken.
fn every_waiting_run_has_a_wake(seen: &Seen) -> Result<()> {
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
    }
    Ok(())
}

/// The end of a run is that of its flow, or one for which there is a reason.
fn ended_as_it_should(
    run: &RunView,
    (flow, version): (&Flow, i64),
    seen: &Seen,
    known: &Known,
) -> Result<()> {
    let inputs = value::decode(&run.inputs)?;
    let n = inputs.as_map().and_then(|map| map.get("n")).and_then(Value::as_int).unwrap_or(0);
    let wanted = (flow.ends)(n, version);
    let result = run.result.as_deref().map(value::decode).transpose()?;
    match (run.summary.state, wanted) {
        (State::Succeeded, Ends::Result(wanted)) => {
            ensure!(result.as_ref() == Some(&wanted), "its result is {result:?}, not {wanted}");
        }
        (State::Succeeded, Ends::RunId) => {
            let started = callees(run, seen).next().map(|callee| callee.summary.id.to_string());
            let told = result.as_ref().and_then(Value::as_str).map(str::to_owned);
            ensure!(told.is_some() && told == started, "it started {started:?}, it says {told:?}");
        }
        (State::Succeeded, Ends::Fails(reason)) => {
            bail!("it should have failed: {}", reason.as_str());
        }
        (State::Failed, Ends::Fails(reason)) if run.summary.reason == Some(reason) => {}
        (State::Failed, _) => there_is_a_reason(run, seen, known)?,
        (State::Cancelled, _) => {
            ensure!(was_cancelled(run, seen, known), "nobody asked for its end");
        }
        // The run of an earlier slot had not ended.
        (State::Skipped, _) if run.summary.reason == Some(Reason::Overlap) => {}
        (state, _) => bail!("it must not be {}", state.as_str()),
    }
    Ok(())
}

/// Whether what a run failed of has happened to it.
fn there_is_a_reason(run: &RunView, seen: &Seen, known: &Known) -> Result<()> {
    let error = run.summary.error.as_ref().context("it failed without an error")?;
    let callees: Vec<_> = callees(run, seen).collect();
    let has = |state: State| callees.iter().any(|callee| callee.summary.state == state);
    let reason = match error.code {
        Code::CellLost => known.lost_cells.get(&run.summary.id).is_some_and(|lost| *lost >= 2),
        Code::CallFailed => has(State::Failed),
        Code::Cancelled => has(State::Cancelled),
        Code::StoreFailed => known.refused_reads > 0,
        Code::CallTimedOut => {
            let calls = seen.calls.get(&run.summary.id).into_iter().flatten();
            let ended = run.summary.ended_at.unwrap_or_default();
            let hasty = calls.filter(|call| call.record.target == "sim.hasty");
            hasty.into_iter().any(|call| ended.0 - call.record.at.0 >= HASTY * 1_000_000)
        }
        _ => false,
    };
    ensure!(reason, "nothing that happened is a reason for its failure");
    Ok(())
}

/// Whether somebody asked for the end of a run, or of one that waits for it.
fn was_cancelled(run: &RunView, seen: &Seen, known: &Known) -> bool {
    let mut at = Some(run);
    while let Some(run) = at {
        if known.cancelled.contains(&run.summary.id) {
            return true;
        }
        at = run.summary.trigger.parent().and_then(|parent| seen.runs.get(parent));
    }
    false
}

fn callees<'a>(run: &RunView, seen: &'a Seen) -> impl Iterator<Item = &'a RunView> {
    let calls = seen.calls.get(&run.summary.id).into_iter().flatten();
    calls.filter_map(|call| seen.runs.get(call.run.as_ref()?))
}

/// The counter of a run says how often its internal effects happened.
async fn effects_happened_once(store: &dyn Store, run: &RunView, flow: &Flow) -> Result<()> {
    let counted = store.state_get(&run.summary.workspace, run.summary.id.as_str()).await?;
    let counted = counted.as_ref().and_then(Value::as_int).unwrap_or(0);
    // A cell that dies by chance may do so before the first effect.
    let planned = run.summary.state == State::Succeeded
        || matches!(run.summary.reason, Some(Reason::ScriptError))
            && (flow.ends)(0, 0) == Ends::Fails(Reason::ScriptError);
    if planned {
        ensure!(counted == flow.adds, "it added {counted}, not {}", flow.adds);
    } else {
        ensure!(counted <= flow.adds, "it added {counted}, more than {}", flow.adds);
    }
    Ok(())
}

/// Each call of a journal has one decision on record, and the answer is the callee's result.
async fn calls_are_recorded_once(
    store: &dyn Store,
    run: &RunView,
    flow: &Flow,
    seen: &Seen,
) -> Result<()> {
    let journal = store.journal(&run.summary.id).await?;
    let asked: Vec<_> = journal.iter().filter(|entry| entry.kind.starts_with("broker::")).collect();
    let none = Vec::new();
    let calls = seen.calls.get(&run.summary.id).unwrap_or(&none);
    ensure!(
        asked.len() == calls.len(),
        "its journal has {} calls, {} are on record",
        asked.len(),
        calls.len()
    );
    if run.summary.state == State::Succeeded {
        ensure!(calls.len() == flow.calls, "it made {} calls, not {}", calls.len(), flow.calls);
    }
    for (entry, call) in asked.into_iter().zip(calls) {
        ensure!(call.record.decision == CallDecision::Allowed, "a call was refused: {call:?}");
        let callee = call.run.as_ref().and_then(|callee| seen.runs.get(callee));
        let callee = callee.with_context(|| format!("a call without its run: {call:?}"))?;
        let by = matches!(&callee.summary.trigger, Trigger::Call { run: by, .. } if *by == run.summary.id);
        ensure!(by, "its call is that of another: {}", line(callee));
        answer_is_the_result(entry, run.summary.state, callee)?;
    }
    Ok(())
}

fn answer_is_the_result(entry: &Entry, caller: State, callee: &RunView) -> Result<()> {
    if entry.kind == "broker::start" {
        return Ok(());
    }
    match &entry.outcome {
        Outcome::Done(answer) => {
            let result = callee.result.as_ref();
            ensure!(result == Some(answer), "its answer is not the result of {}", line(callee));
        }
        Outcome::Failed(failure) if failure.code == Code::CallTimedOut => {}
        Outcome::Failed(failure) => ensure!(
            matches!(callee.summary.state, State::Failed | State::Cancelled),
            "it was told `{}`, but {}",
            failure.message,
            line(callee)
        ),
        Outcome::Pending => ensure!(
            // One that ended before its callee did is not answered.
            caller != State::Succeeded,
            "its call was never answered: {}",
            line(callee)
        ),
    }
    Ok(())
}

/// Requests with a key are one run each, however often they were made; those without are at most
/// as many as were made.
fn keys_start_one_run(seen: &Seen) -> Result<()> {
    let mut by_input = BTreeMap::new();
    for run in seen.runs.values().filter(|run| run.summary.trigger == Trigger::Api) {
        if let Some(other) = by_input.insert(&run.inputs, &run.summary.id) {
            bail!("one request started two runs: {other} and {}", line(run));
        }
    }
    Ok(())
}

fn slots_fired_once(seen: &Seen, known: &Known) -> Result<()> {
    let mut fired = BTreeMap::new();
    for run in seen.runs.values() {
        if let Trigger::Schedule { slot, .. } = &run.summary.trigger {
            ensure!(slot.0 % (EVERY * 1_000_000) == 0, "{slot} is no slot: {}", line(run));
            if let Some(other) = fired.insert(*slot, &run.summary.id) {
                bail!("the slot {slot} fired twice: {other} and {}", line(run));
            }
        }
    }
    let first = known.first_live.unwrap_or_default();
    let owed = known.timeline.owed(EVERY);
    let lost: Vec<_> =
        owed.iter().filter(|slot| **slot > first && !fired.contains_key(slot)).collect();
    if let Some(slot) = lost.first() {
        bail!("the slot {slot} is lost, and {} others", lost.len() - 1);
    }
    Ok(())
}

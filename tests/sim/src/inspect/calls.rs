//! What runs have others do.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail, ensure};
use signalbox_core::codes::Code;
use signalbox_core::journal::{Entry, Outcome};
use signalbox_core::run::{State, Trigger};
use signalbox_core::{Value, value};
use signalbox_store::contract::{CallDecision, RunView};

use super::seen::{Seen, flow_of, line};

/// Each call of a journal has one decision on record and each start one run, and the answers are
/// the results of the callees.
pub(super) fn are_recorded_once(run: &RunView, journal: &[Entry], seen: &Seen) -> Result<()> {
    let flow = flow_of(run).context("a run of an unknown flow")?;
    let of = |kind: &str| journal.iter().filter(|entry| entry.kind == kind).collect::<Vec<_>>();
    let asked: Vec<_> = journal.iter().filter(|entry| entry.kind.starts_with("broker::")).collect();
    let none = Vec::new();
    let calls = seen.calls.get(&run.summary.id).unwrap_or(&none);
    let (asks, records) = (asked.len(), calls.len());
    ensure!(asks == records, "its journal has {asks} calls, {records} are on record");
    let starts = of("flow::run").len() + of("flow::start").len();
    let children = seen.children(run).count();
    ensure!(starts == children, "its journal has {starts} starts, and there are {children} runs");
    if run.summary.state == State::Succeeded {
        ensure!(calls.len() == flow.calls, "it made {} calls, not {}", calls.len(), flow.calls);
        ensure!(children == flow.starts, "it started {children} runs, not {}", flow.starts);
    }
    for (entry, call) in asked.into_iter().zip(calls) {
        ensure!(call.record.decision == CallDecision::Allowed, "a call was refused: {call:?}");
        let callee = call.run.as_ref().and_then(|callee| seen.runs.get(callee));
        let callee = callee.with_context(|| format!("a call without its run: {call:?}"))?;
        let first = seen.first(callee);
        let by = matches!(&first.summary.trigger, Trigger::Call { run: by, .. } if *by == run.summary.id);
        ensure!(by, "its call is that of another: {}", line(callee));
        if entry.kind == "broker::request" {
            answer_is_the_result(entry, run.summary.state, seen.last(callee))?;
        }
    }
    Ok(())
}

fn answer_is_the_result(entry: &Entry, caller: State, callee: &RunView) -> Result<()> {
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

/// A run that another one continues has exactly one successor, which is its result.
pub(super) fn successors_are_one_each(run: &RunView, seen: &Seen) -> Result<()> {
    let found = seen.successors.get(&run.summary.id).map_or(&[][..], Vec::as_slice);
    let named: Vec<_> = run.successor.iter().cloned().collect();
    ensure!(found == named, "it says that {named:?} continues it, and {found:?} does");
    if let Some(successor) = &run.successor {
        let result = run.result.as_deref().map(value::decode).transpose()?;
        let told = result.as_ref().and_then(Value::as_str);
        ensure!(told == Some(successor.as_str()), "its result is {result:?}, not {successor}");
    }
    Ok(())
}

/// Requests with a key, and deliveries, are one run each, however often they were made; those
/// without are at most as many as were made.
pub(super) fn requests_start_one_run(seen: &Seen) -> Result<()> {
    let mut by_input = BTreeMap::new();
    let asked = |trigger: &Trigger| matches!(trigger, Trigger::Api | Trigger::Webhook { .. });
    for run in seen.runs.values().filter(|run| asked(&run.summary.trigger)) {
        if let Some(other) = by_input.insert(&run.inputs, &run.summary.id) {
            bail!("one request started two runs: {other} and {}", line(run));
        }
    }
    Ok(())
}

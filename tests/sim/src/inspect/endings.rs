//! How runs end, and what they did until then.

use anyhow::{Context as _, Result, bail, ensure};
use signalbox_core::codes::Code;
use signalbox_core::run::{Reason, State, Trigger};
use signalbox_core::schedule::Overlap;
use signalbox_core::{Value, value};
use signalbox_store::Store;
use signalbox_store::contract::RunView;

use super::seen::{Seen, flow_of, line};
use super::slots::slot_of;
use crate::catalogue::{Asked, Ends, Flow, Given, HASTY};
use crate::model::{Known, Model};

/// The flow and the end of a run, to be counted.
pub(super) fn ending_of(run: &RunView) -> String {
    let summary = &run.summary;
    let reason = summary.reason.map(|reason| format!(", {}", reason.as_str()));
    let (flow, state) = (&summary.flow, summary.state.as_str());
    format!("{}/{flow} {state}{}", summary.workspace, reason.unwrap_or_default())
}

/// The end of a run is that of its flow, or one for which there is a reason.
pub(super) fn is_that_of_its_flow(
    run: &RunView,
    version: i64,
    seen: &Seen,
    known: &Known,
) -> Result<()> {
    let flow = flow_of(run).context("a run of an unknown flow")?;
    let inputs = value::decode(&run.inputs)?;
    let slot = slot_of(run);
    let mut wanted = (flow.ends)(&Given { inputs: &inputs, version, slot });
    let result = run.result.as_deref().map(value::decode).transpose()?;
    if known.from_step.contains(&run.summary.id) && run.summary.state == State::Succeeded {
        // The results of the steps before may be those of another revision.
        wanted = Ends::Result(result.clone().unwrap_or(Value::Null));
    }
    match (run.summary.state, wanted) {
        (State::Succeeded, Ends::Result(wanted)) => {
            ensure!(result.as_ref() == Some(&wanted), "its result is {result:?}, not {wanted}");
        }
        (State::Succeeded, Ends::RunId) => {
            let started = seen.callees(run).next().map(|callee| callee.summary.id.to_string());
            let told = result.as_ref().and_then(Value::as_str).map(str::to_owned);
            ensure!(told.is_some() && told == started, "it started {started:?}, it says {told:?}");
        }
        (State::Succeeded, Ends::Successor) => {
            ensure!(run.successor.is_some(), "nothing continues it");
        }
        // The clock leapt to the end of its sleep, and back before its deadline.
        (State::Succeeded, Ends::Fails(Reason::TimedOut))
            if known.jumps > 1 && run.summary.ended_at <= run.deadline => {}
        (State::Succeeded, Ends::Fails(reason) | Ends::Skipped(reason)) => {
            bail!("it should have ended otherwise: {}", reason.as_str());
        }
        (State::Failed, Ends::Fails(reason)) if run.summary.reason == Some(reason) => {}
        (State::Failed, _) => there_is_a_reason(run, seen, known)?,
        (State::Cancelled, _) => somebody_wanted_that(run, flow, seen, known)?,
        (State::Skipped, Ends::Skipped(reason)) if run.summary.reason == Some(reason) => {}
        (State::Skipped, _) => was_rightly_skipped(run, flow, seen)?,
        (state, _) => bail!("it must not be {}", state.as_str()),
    }
    let last = run.summary.attempt;
    let whole = run.summary.state == State::Succeeded
        || run.summary.reason == Some(Reason::ScriptError) && flow.attempts > 1;
    ensure!(last <= flow.attempts, "it had {last} attempts, more than {}", flow.attempts);
    ensure!(!whole || last == flow.attempts, "it had {last} attempts, not {}", flow.attempts);
    Ok(())
}

/// Whether what a run failed of has happened to it.
fn there_is_a_reason(run: &RunView, seen: &Seen, known: &Known) -> Result<()> {
    let error = run.summary.error.as_ref().context("it failed without an error")?;
    let heard: Vec<_> = seen.heard_of(run).collect();
    let has = |state: State| heard.iter().any(|callee| callee.summary.state == state);
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

/// Whether somebody asked for the end of a run, or of one that waits for it, or another one took
/// its place.
fn somebody_wanted_that(run: &RunView, flow: &Flow, seen: &Seen, known: &Known) -> Result<()> {
    if run.summary.reason == Some(Reason::Superseded) {
        return yielded(run, flow, seen);
    }
    let mut at = Some(run);
    while let Some(run) = at {
        let replaced = flow_of(run).and_then(|flow| flow.slots);
        let replaced = replaced.is_some_and(|slots| slots.overlap == Overlap::CancelRunning);
        if known.cancelled.contains(&run.summary.id) || replaced && slot_of(run).is_some() {
            return Ok(());
        }
        let before = match &run.summary.trigger {
            Trigger::Continue { of, .. } => Some(of),
            trigger => trigger.parent(),
        };
        at = before.and_then(|before| seen.runs.get(before));
    }
    bail!("nobody asked for its end")
}

fn was_rightly_skipped(run: &RunView, flow: &Flow, seen: &Seen) -> Result<()> {
    ensure!(run.summary.started_at.is_none(), "it had begun");
    match run.summary.reason {
        Some(Reason::Overlap) => {
            let skips = flow.slots.is_some_and(|slots| slots.overlap == Overlap::Skip);
            ensure!(skips && slot_of(run).is_some(), "its schedule does not skip");
            Ok(())
        }
        Some(Reason::ConcurrencyLimit | Reason::Superseded) => yielded(run, flow, seen),
        reason => bail!("there is no reason to skip it: {reason:?}"),
    }
}

/// A run that yielded to another one did so for one of its key.
fn yielded(run: &RunView, flow: &Flow, seen: &Seen) -> Result<()> {
    ensure!(flow.asked == Asked::Keyed || run.turn.debounce.is_some(), "it need not yield");
    let other = run.summary.yields_to.as_ref().context("it yielded to nobody")?;
    let other = seen.runs.get(other).context("it yielded to a run that is not there")?;
    let same = other.turn.key == run.turn.key && other.summary.flow == run.summary.flow;
    ensure!(same && other.summary.id != run.summary.id, "it yielded to {}", line(other));
    Ok(())
}

/// The counter of a run says how often its internal effects happened.
pub(super) async fn effects_happened_once(
    store: &dyn Store,
    run: &RunView,
    seen: &Seen,
    known: &Model,
) -> Result<()> {
    let flow = flow_of(run).context("a run of an unknown flow")?;
    let counted = store.state_get(&run.summary.workspace, run.summary.id.as_str()).await?;
    let counted = counted.as_ref().and_then(Value::as_int).unwrap_or(0);
    let known = known.known();
    ensure!(counted <= flow.adds, "it added {counted}, more than {}", flow.adds);
    // A cell that dies by chance may do so before the first effect; a run that failed as its
    // script wanted came to its end.
    let whole = match run.summary.state {
        State::Succeeded => true,
        State::Failed => run.summary.reason == Some(Reason::ScriptError) && by_itself(run, seen),
        _ => false,
    };
    // One that begins at its second step has the result of the first, if there was one.
    let kept = match &run.summary.trigger {
        Trigger::Retry { of, .. } if known.from_step.contains(&run.summary.id) => seen.runs.get(of),
        _ => None,
    };
    let whole = whole && kept.is_none_or(|of| of.summary.state == State::Succeeded);
    let adds = flow.adds - i64::from(kept.is_some());
    ensure!(!whole || counted == adds, "it added {counted}, not {adds}");
    Ok(())
}

fn by_itself(run: &RunView, seen: &Seen) -> bool {
    let script = run.summary.error.as_ref().is_some_and(|error| error.code == Code::ScriptError);
    script && seen.callees(run).next().is_none()
}

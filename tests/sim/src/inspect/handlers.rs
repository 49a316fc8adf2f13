//! What the ends of runs start.

use std::collections::BTreeMap;

use anyhow::{Result, bail, ensure};
use signalbox_core::handler::Event;
use signalbox_core::run::{Reason, State, Trigger};

use super::seen::{Seen, flow_of, line};
use crate::model::Known;

/// Each final failure of a flow with a handler starts one, each recovery too, and nothing else
/// does; handlers start none.
pub(super) fn started_once(seen: &Seen, known: &Known) -> Result<()> {
    let mut started = BTreeMap::new();
    for run in seen.runs.values() {
        let Trigger::Handler { event, of, .. } = &run.summary.trigger else { continue };
        if let Some(other) = started.insert((of, event.as_str()), &run.summary.id) {
            bail!("the end of {of} was handled twice, by {other} and {}", line(run));
        }
        let handled = seen.runs.get(of).map(|handled| (handled, &handled.summary));
        let Some((handled, summary)) = handled else { bail!("{of} is not there: {}", line(run)) };
        let by_handler = matches!(summary.trigger, Trigger::Handler { .. });
        ensure!(!by_handler, "a handler handles a handler: {}", line(run));
        let right = match event {
            Event::Failure => summary.state == State::Failed,
            Event::Recovery => known.watch.recoveries().contains(of),
            _ => false,
        };
        ensure!(right, "a {} handles {}", event.as_str(), line(handled));
    }
    for run in seen.runs.values() {
        let handled = flow_of(run).is_some_and(|flow| flow.handled);
        let final_failure = run.summary.state == State::Failed
            && run.summary.reason != Some(Reason::TimedOut)
            && !matches!(run.summary.trigger, Trigger::Handler { .. });
        let found = started.contains_key(&(&run.summary.id, Event::Failure.as_str()));
        ensure!(!(handled && final_failure) || found, "nothing handles {}", line(run));
    }
    for run in known.watch.recoveries() {
        let found = started.contains_key(&(run, Event::Recovery.as_str()));
        ensure!(found, "run {run} was a recovery, and nothing handles it");
    }
    Ok(())
}

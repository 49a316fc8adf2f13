//! Health as people and scripts see it.

use std::collections::BTreeMap;
use std::time::Duration;

use signalbox_core::alarm::Raised;
use signalbox_core::clock::Timestamp;
use signalbox_core::health::{Breach, Ended, Tally, Thresholds};
use signalbox_core::{FlowName, Value, WorkspaceName};
use signalbox_store::contract::{EndedFilter, Lately};

use crate::options::Error;
use crate::shared::Shared;

/// The window of what has no thresholds.
const USUAL: Duration = Duration::from_hours(1);

/// How the runs of a workspace or a flow ended lately, and what alarms there are.
#[derive(Debug, Clone, PartialEq)]
pub struct Health {
    /// What is healthy, if the workspace says so; `None` for a flow.
    pub thresholds: Option<Thresholds>,
    /// The runs of so long are counted.
    pub window: Duration,
    /// Runs that succeeded or failed.
    pub tally: Tally,
    /// The duration that 95 of 100 runs did not exceed; `None` without runs.
    pub p95_duration: Option<Duration>,
    /// Thresholds that are not kept now.
    pub breaches: Vec<Breach>,
    /// The latest success, however long ago.
    pub last_success: Option<Timestamp>,
    /// The latest failure, however long ago.
    pub last_failure: Option<Timestamp>,
    /// The alarms that are raised: of the workspace and its flows, or of the flow.
    pub alarms: Vec<Raised>,
}

impl Shared {
    /// The alarms that are raised.
    pub(crate) fn alarms(&self) -> Vec<Raised> {
        self.lookout.alarms()
    }

    /// What is measured of every workspace that says what is healthy. Read from memory.
    pub(crate) fn measured(&self) -> BTreeMap<WorkspaceName, (Thresholds, Tally)> {
        self.lookout.measured(self.clock.now())
    }

    /// The health of a live workspace or flow, read from the store.
    pub(crate) async fn health(
        &self,
        workspace: &WorkspaceName,
        flow: Option<&FlowName>,
    ) -> Result<Health, Error> {
        let live = self.live.load();
        let spec = live.find(workspace).map(|(spec, _)| spec);
        let health = spec.and_then(|spec| spec.health.as_ref());
        let thresholds = health.map(|health| health.thresholds.clone());
        drop(live);
        let window = thresholds.as_ref().map_or(USUAL, |thresholds| thresholds.window);
        let since = self.clock.now().minus(window);
        let filter = EndedFilter { workspace: workspace.clone(), flow: flow.cloned(), since };
        let Lately { ended, last_success, last_failure } = self.store.lately(filter).await?;
        let mut tally = Tally::default();
        for run in &ended {
            tally.add(*run);
        }
        let thresholds = thresholds.filter(|_| flow.is_none());
        let concerns = |alarm: &Raised| {
            alarm.subject.workspace == *workspace
                && (flow.is_none() || alarm.subject.flow.as_ref() == flow)
        };
        Ok(Health {
            breaches: thresholds.as_ref().map(|of| of.judge(tally)).unwrap_or_default(),
            thresholds,
            window,
            tally,
            p95_duration: p95(&ended),
            last_success,
            last_failure,
            alarms: self.alarms().into_iter().filter(concerns).collect(),
        })
    }
}

fn p95(ended: &[Ended]) -> Option<Duration> {
    let mut durations: Vec<_> = ended.iter().map(|run| run.duration_us).collect();
    let at = (durations.len() * 95).div_ceil(100).checked_sub(1)?;
    let (_, duration, _) = durations.select_nth_unstable(at);
    Some(Duration::from_micros(*duration))
}

impl Health {
    /// For scripts: durations in seconds, rates from 0 to 1, `()` for what is not known.
    pub(crate) fn to_value(&self) -> Value {
        let float = |value: Option<f64>| value.map_or(Value::Null, Value::Float);
        let count = |count: u64| Value::Int(i64::try_from(count).unwrap_or(i64::MAX));
        let time = |at: Option<Timestamp>| {
            at.map_or(Value::Null, |at| Value::from(at.to_string().as_str()))
        };
        let alarm = |alarm: &Raised| {
            Value::map([
                ("kind", Value::from(alarm.subject.kind().as_str())),
                ("flow", alarm.subject.flow.as_ref().map_or(Value::Null, |f| f.as_str().into())),
                ("since", time(Some(alarm.since))),
                ("message", Value::from(alarm.message().as_str())),
            ])
        };
        Value::map([
            ("window", Value::Float(self.window.as_secs_f64())),
            ("runs", count(self.tally.runs())),
            ("succeeded", count(self.tally.succeeded)),
            ("failed", count(self.tally.failed)),
            ("error_rate", float(self.tally.error_rate())),
            ("success_rate", float(self.tally.success_rate())),
            ("average_duration", float(self.tally.average_duration())),
            ("p95_duration", float(self.p95_duration.map(|p95| p95.as_secs_f64()))),
            ("last_success", time(self.last_success)),
            ("last_failure", time(self.last_failure)),
            ("breaches", Value::List(self.breaches.iter().map(|b| b.to_value()).collect())),
            ("alarms", Value::List(self.alarms.iter().map(alarm).collect())),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_95th_percentile_is_a_duration_that_a_run_had() {
        let runs = |number: u64| {
            let run = |duration_us| Ended { at: Timestamp(0), failed: false, duration_us };
            (1..=number).rev().map(run).collect::<Vec<_>>()
        };
        assert_eq!(p95(&runs(0)), None);
        assert_eq!(p95(&runs(1)), Some(Duration::from_micros(1)));
        assert_eq!(p95(&runs(20)), Some(Duration::from_micros(19)));
        assert_eq!(p95(&runs(100)), Some(Duration::from_micros(95)));
    }
}

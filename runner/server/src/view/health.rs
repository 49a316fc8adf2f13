//! How runs ended lately, and alarms.

use std::time::Duration;

use serde::Serialize;
use signalbox_core::alarm::{Raised, Why};
use signalbox_core::health::{Breach, Percent, Thresholds};
use signalbox_engine::Health;
use utoipa::ToSchema;

use super::time;

/// How the runs of a workspace, or of one of its flows, ended lately. Runs that were cancelled or
/// skipped do not count, nor do those that handle something.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Health)]
pub(crate) struct HealthJson {
    workspace: String,
    /// The flow, when one was asked for.
    flow: Option<String>,
    /// Whether there is no alarm and every threshold is kept.
    healthy: bool,
    /// Runs that ended in the last so many milliseconds are counted.
    window_ms: u64,
    /// Runs that succeeded or failed.
    runs: u64,
    succeeded: u64,
    failed: u64,
    /// From 0 to 1; null without runs.
    error_rate: Option<f64>,
    /// From 0 to 1; null without runs.
    success_rate: Option<f64>,
    /// From start to end.
    average_duration_ms: Option<f64>,
    /// 95 of 100 runs took no longer.
    p95_duration_ms: Option<f64>,
    /// The latest success, however long ago.
    last_success: Option<String>,
    /// The latest failure, however long ago.
    last_failure: Option<String>,
    /// What the workspace says is healthy; null when it says nothing.
    thresholds: Option<ThresholdsJson>,
    /// Thresholds that are not kept now.
    breaches: Vec<BreachJson>,
    /// Alarms that are raised.
    alarms: Vec<AlarmJson>,
}

/// What is still healthy; null for what is not looked at.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Thresholds)]
pub(crate) struct ThresholdsJson {
    /// At most; from 0 to 1.
    error_rate: Option<f64>,
    /// At least; from 0 to 1.
    success_rate: Option<f64>,
    /// At most.
    failed_runs: Option<u32>,
    /// At most.
    average_duration_ms: Option<f64>,
}

/// A threshold that is not kept.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Breach)]
pub(crate) struct BreachJson {
    /// `error_rate`, `success_rate`, `failed_runs` or `average_duration`.
    measure: &'static str,
    /// What it is: a rate from 0 to 1, a number of runs, or seconds.
    value: f64,
    /// What would be healthy.
    limit: f64,
    /// For people.
    message: String,
}

/// An alarm that is raised.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Alarm)]
pub(crate) struct AlarmJson {
    /// `health` or `absence`.
    kind: &'static str,
    workspace: String,
    /// The flow that is absent.
    flow: Option<String>,
    since: String,
    /// For people.
    message: String,
    /// Kind `health`: what was not kept when it was raised.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    breaches: Vec<BreachJson>,
}

impl HealthJson {
    pub(crate) fn of(workspace: &str, flow: Option<&str>, health: &Health) -> Self {
        let tally = health.tally;
        Self {
            workspace: workspace.to_owned(),
            flow: flow.map(ToOwned::to_owned),
            healthy: health.alarms.is_empty() && health.breaches.is_empty(),
            window_ms: u64::try_from(health.window.as_millis()).unwrap_or(u64::MAX),
            runs: tally.runs(),
            succeeded: tally.succeeded,
            failed: tally.failed,
            error_rate: tally.error_rate(),
            success_rate: tally.success_rate(),
            average_duration_ms: tally.average_duration().map(|seconds| seconds * 1_000.0),
            p95_duration_ms: health.p95_duration.map(millis),
            last_success: time(health.last_success),
            last_failure: time(health.last_failure),
            thresholds: health.thresholds.as_ref().map(Into::into),
            breaches: health.breaches.iter().map(Into::into).collect(),
            alarms: health.alarms.iter().map(Into::into).collect(),
        }
    }
}

impl From<&Thresholds> for ThresholdsJson {
    fn from(thresholds: &Thresholds) -> Self {
        Self {
            error_rate: thresholds.error_rate.map(Percent::fraction),
            success_rate: thresholds.success_rate.map(Percent::fraction),
            failed_runs: thresholds.failed_runs,
            average_duration_ms: thresholds.average_duration.map(millis),
        }
    }
}

impl From<&Breach> for BreachJson {
    fn from(breach: &Breach) -> Self {
        let message = breach.to_string();
        let Breach { measure, value, limit } = *breach;
        Self { measure: measure.as_str(), value, limit, message }
    }
}

impl From<&Raised> for AlarmJson {
    fn from(alarm: &Raised) -> Self {
        let breaches = match &alarm.why {
            Why::Unhealthy { breaches, .. } => breaches.iter().map(Into::into).collect(),
            Why::Absent { .. } => Vec::new(),
        };
        Self {
            kind: alarm.subject.kind().as_str(),
            workspace: alarm.subject.workspace.to_string(),
            flow: alarm.subject.flow.as_ref().map(ToString::to_string),
            since: alarm.since.to_string(),
            message: alarm.message(),
            breaches,
        }
    }
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}

//! Schedules and their slots.

use std::time::Duration;

use serde::Serialize;
use signalbox_core::Value;
use signalbox_core::schedule::{Fires, Missed, Schedule};
use signalbox_engine::{NextSlot, ScheduleView};
use utoipa::ToSchema;

use super::time;

/// A schedule of a live flow.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Schedule)]
pub(crate) struct ScheduleJson {
    workspace: String,
    flow: String,
    /// Its identity in the flow: its name, if it has one.
    id: String,
    name: Option<String>,
    /// The cron expression; null when it fires once.
    cron: Option<String>,
    /// The only moment at which it fires; null when it has an expression.
    at: Option<String>,
    timezone: String,
    /// Its slots in words.
    description: String,
    /// What its runs are given, before the flow's defaults.
    #[schema(value_type = Object)]
    inputs: serde_json::Value,
    /// Each slot fires up to so much later.
    jitter_ms: u64,
    /// `skip`, `queue` or `cancel_running`: what becomes of a slot while an earlier run has not
    /// ended.
    overlap: &'static str,
    missed: MissedJson,
    /// The calendar that takes slots out.
    calendar: Option<String>,
    /// The expression that decides for each slot.
    dynamic: Option<String>,
    /// Since when it is paused, itself.
    paused_at: Option<String>,
    /// Since when every schedule of its workspace is.
    workspace_paused_at: Option<String>,
    /// The last slot that fired, or since when the schedule counts.
    last_at: Option<String>,
    /// The next slot; null while it is paused.
    next_at: Option<String>,
}

/// What becomes of slots that nobody was there to fire.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Missed)]
pub(crate) struct MissedJson {
    /// `none`, `latest` or `all`: which fire.
    run: &'static str,
    /// Older ones never do.
    window_ms: u64,
    /// Most that fire with `all`.
    cap: u32,
}

/// A slot that will fire.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Slot)]
pub(crate) struct SlotJson {
    /// Its nominal time.
    at: String,
    /// When it fires: later by its share of the schedule's jitter.
    fires_at: String,
    workspace: String,
    flow: String,
    /// The schedule's identity in the flow.
    schedule: String,
}

impl From<&ScheduleView> for ScheduleJson {
    fn from(view: &ScheduleView) -> Self {
        let schedule = &view.schedule;
        let (cron, at) = expression(schedule);
        Self {
            workspace: view.flow.workspace.to_string(),
            flow: view.flow.flow.to_string(),
            id: view.id.clone(),
            name: schedule.name.clone(),
            cron,
            at,
            timezone: schedule.timezone.clone(),
            description: view.description.clone(),
            inputs: signalbox_core::value::to_json(&Value::Map(schedule.inputs.clone())),
            jitter_ms: millis(schedule.jitter),
            overlap: schedule.overlap.as_str(),
            missed: MissedJson::from(schedule.missed),
            calendar: schedule.calendar.clone(),
            dynamic: schedule.dynamic.as_ref().map(|dynamic| dynamic.code.clone()),
            paused_at: time(view.paused_at),
            workspace_paused_at: time(view.workspace_paused_at),
            last_at: time(view.last),
            next_at: time(view.next),
        }
    }
}

impl From<Missed> for MissedJson {
    fn from(missed: Missed) -> Self {
        Self { run: missed.policy.as_str(), window_ms: millis(missed.window), cap: missed.cap }
    }
}

impl From<&NextSlot> for SlotJson {
    fn from(slot: &NextSlot) -> Self {
        Self {
            at: slot.at.to_string(),
            fires_at: slot.at.plus(slot.delay).to_string(),
            workspace: slot.flow.workspace.to_string(),
            flow: slot.flow.flow.to_string(),
            schedule: slot.schedule.clone(),
        }
    }
}

/// The expression, or the moment.
pub(crate) fn expression(schedule: &Schedule) -> (Option<String>, Option<String>) {
    match &schedule.fires {
        Fires::Cron(expression) => (Some(expression.clone()), None),
        Fires::At(moment) => (None, Some(moment.to_string())),
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

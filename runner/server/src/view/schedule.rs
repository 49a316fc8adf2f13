//! Schedules and their slots.

use serde::Serialize;
use signalbox_engine::{NextSlot, ScheduleView};
use utoipa::ToSchema;

use super::time;

/// A schedule of a live flow.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Schedule)]
pub(crate) struct ScheduleJson {
    workspace: String,
    flow: String,
    /// Its identity in the flow.
    id: String,
    cron: String,
    timezone: String,
    /// The expression in words.
    description: String,
    /// The last slot that fired, or since when the schedule counts.
    last_at: Option<String>,
    /// The next slot.
    next_at: Option<String>,
}

/// A slot that will fire.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Slot)]
pub(crate) struct SlotJson {
    at: String,
    workspace: String,
    flow: String,
    /// The schedule's identity in the flow.
    schedule: String,
}

impl From<&ScheduleView> for ScheduleJson {
    fn from(schedule: &ScheduleView) -> Self {
        Self {
            workspace: schedule.flow.workspace.to_string(),
            flow: schedule.flow.flow.to_string(),
            id: schedule.id.clone(),
            cron: schedule.cron.clone(),
            timezone: schedule.timezone.clone(),
            description: schedule.description.clone(),
            last_at: time(schedule.last),
            next_at: time(schedule.next),
        }
    }
}

impl From<&NextSlot> for SlotJson {
    fn from(slot: &NextSlot) -> Self {
        Self {
            at: slot.at.to_string(),
            workspace: slot.flow.workspace.to_string(),
            flow: slot.flow.flow.to_string(),
            schedule: slot.schedule.clone(),
        }
    }
}

//! A schedule as it is stored. Every field but the first two came later and may be missing.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Dynamic, Fires, Missed, Overlap, Schedule};
use crate::clock::Timestamp;
use crate::handler::Handlers;
use crate::value::Value;

/// A schedule as it is stored.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Stored {
    #[serde(default, skip_serializing_if = "String::is_empty")]
    cron: String,
    timezone: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    inputs: BTreeMap<String, Value>,
    #[serde(default, skip_serializing_if = "Duration::is_zero")]
    jitter: Duration,
    #[serde(default)]
    overlap: Overlap,
    #[serde(default)]
    missed: Missed,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    calendar: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    dynamic: Option<Dynamic>,
    #[serde(default)]
    handlers: Handlers,
}

impl From<Stored> for Schedule {
    fn from(stored: Stored) -> Self {
        Self {
            name: stored.name,
            fires: stored.at.map_or(Fires::Cron(stored.cron), Fires::At),
            timezone: stored.timezone,
            inputs: stored.inputs,
            jitter: stored.jitter,
            overlap: stored.overlap,
            missed: stored.missed,
            calendar: stored.calendar,
            dynamic: stored.dynamic,
            handlers: stored.handlers,
        }
    }
}

impl From<Schedule> for Stored {
    fn from(schedule: Schedule) -> Self {
        let (cron, at) = match schedule.fires {
            Fires::Cron(cron) => (cron, None),
            Fires::At(at) => (String::new(), Some(at)),
        };
        Self {
            cron,
            timezone: schedule.timezone,
            at,
            name: schedule.name,
            inputs: schedule.inputs,
            jitter: schedule.jitter,
            overlap: schedule.overlap,
            missed: schedule.missed,
            calendar: schedule.calendar,
            dynamic: schedule.dynamic,
            handlers: schedule.handlers,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::handler::Handler;

    #[test]
    fn a_schedule_of_the_first_version_is_read_as_it_was_meant() {
        let old = r#"{"cron":"0 7 * * *","timezone":"Europe/Berlin"}"#;
        let schedule: Schedule = serde_json::from_str(old).unwrap();
        assert_eq!(schedule, Schedule::cron("0 7 * * *", "Europe/Berlin"));
    }

    #[test]
    fn a_schedule_comes_back_as_it_was_stored() {
        let mut schedule = Schedule::new(Fires::At(Timestamp(17)), "UTC");
        schedule.name = Some("once".to_owned());
        schedule.inputs.insert("deep".to_owned(), Value::Bool(true));
        schedule.jitter = Duration::from_secs(3);
        schedule.overlap = Overlap::CancelRunning;
        schedule.calendar = Some("calendars/a.yaml".to_owned());
        schedule.dynamic = Some(Dynamic { code: "true".to_owned(), line: 7 });
        schedule.handlers.failure = Some(Handler::Service("alerts.send".to_owned()));
        let text = serde_json::to_string(&schedule).unwrap();
        assert_eq!(serde_json::from_str::<Schedule>(&text).unwrap(), schedule);
    }
}

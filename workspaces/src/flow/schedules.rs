//! `schedules` of a flow.

use signalbox_core::clock::Timestamp;
use signalbox_core::codes::Code;
use signalbox_core::schedule::{Error, Schedule};

use crate::faults::Faults;
use crate::fields::{self, Fields};
use crate::mark::Mark;
use crate::yaml::Node;

/// Longest cron expression; the longest sensible one lists every minute.
const MAX_EXPRESSION: usize = 400;

/// Reads the list.
pub(super) fn read(fields: &Fields<'_>, faults: &mut Faults) -> Vec<Schedule> {
    let mut schedules: Vec<Schedule> = Vec::new();
    for node in fields.list("schedules", faults) {
        let Some(schedule) = one(node, faults) else { continue };
        if schedules.contains(&schedule) {
            let message = "the same schedule a second time; it would fire once";
            faults.error(Code::InvalidValue, node.mark, message);
        } else {
            schedules.push(schedule);
        }
    }
    schedules
}

fn one(node: &Node, faults: &mut Faults) -> Option<Schedule> {
    let fields = Fields::open(node, "a schedule", &["cron", "timezone"], faults)?;
    let at = fields.required("cron", faults)?;
    let cron = fields::text(at, "cron", faults)?.trim().to_owned();
    if cron.len() > MAX_EXPRESSION {
        let message = format!("longer than {MAX_EXPRESSION} characters");
        faults.error(Code::Cron, at.mark, message);
        return None;
    }
    let timezone = match fields.get("timezone") {
        None => "UTC".to_owned(),
        Some(zone) => fields::text(zone, "timezone", faults)?.to_owned(),
    };
    let zone = fields.get("timezone").map_or(node.mark, |zone| zone.mark);
    let schedule = Schedule { cron, timezone };
    check(&schedule, at.mark, zone, faults).then_some(schedule)
}

/// Whether a schedule can be read and fires at all. The years from 1970 on stand for all: the
/// calendar repeats every 400 years, and nothing here may depend on the day it is read.
fn check(schedule: &Schedule, cron: Mark, zone: Mark, faults: &mut Faults) -> bool {
    match schedule.parse() {
        Ok(table) if table.next_after(Timestamp(0)).is_some() => return true,
        Ok(_) => faults.error(Code::Cron, cron, format!("`{}` never fires", schedule.cron)),
        Err(Error::Expression { reason, .. }) => {
            let reason = fields::shown(&reason);
            let message = format!("`{}` cannot be read: {reason}", fields::shown(&schedule.cron));
            let help = "minute hour day month weekday, for example `0 7 * * 1-5`".to_owned();
            faults.error_with_help(Code::Cron, cron, message, Some(help));
        }
        Err(Error::Zone(name)) => {
            let message = format!("`{}` is not a time zone", fields::shown(&name));
            let help = "a name of the IANA database, for example `Europe/Berlin`".to_owned();
            faults.error_with_help(Code::TimeZone, zone, message, Some(help));
        }
    }
    false
}

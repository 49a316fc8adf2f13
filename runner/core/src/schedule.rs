//! When a flow fires: cron expressions in time zones.
//!
//! Croner's rules hold across clock changes: a fixed time that a change skips fires at the first
//! moment after the gap; one that a change repeats fires the first time only; a wildcard job
//! skips the gap and fires in both copies of a repeated hour.

use cron::{
    Cron,
    parser::{CronParser, Seconds},
};
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::ids::Digest;

/// A schedule of a flow.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Schedule {
    /// Five fields, or six with seconds first.
    pub cron: String,
    /// IANA name of the zone the fields are read in.
    pub timezone: String,
}

/// Why a schedule cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The expression cannot be read.
    #[error("`{expression}` is not a cron expression: {reason}")]
    Expression {
        /// As given.
        expression: String,
        /// What the parser says.
        reason: String,
    },
    /// The zone is not in the IANA database.
    #[error("`{0}` is not a time zone of the IANA database")]
    Zone(String),
}

impl Schedule {
    /// The identity of the schedule in its flow: `last_slot` is kept under it.
    pub fn id(&self) -> String {
        let digest = Digest::of_parts([self.cron.as_bytes(), self.timezone.as_bytes()]);
        digest.to_string()[..16].to_owned()
    }

    /// Reads it.
    pub fn parse(&self) -> Result<Timetable, Error> {
        let cron =
            CronParser::builder().seconds(Seconds::Optional).build().parse(&self.cron).map_err(
                |error| Error::Expression {
                    expression: self.cron.clone(),
                    reason: error.to_string(),
                },
            )?;
        let zone = TimeZone::get(&self.timezone).map_err(|_| Error::Zone(self.timezone.clone()))?;
        Ok(Timetable { cron, zone })
    }
}

/// A schedule that can be asked for its slots.
#[derive(Debug, Clone)]
pub struct Timetable {
    cron: Cron,
    zone: TimeZone,
}

impl Timetable {
    /// The first slot strictly after a moment; `None` when there is none in the years that the
    /// calendar knows.
    pub fn next_after(&self, moment: Timestamp) -> Option<Timestamp> {
        let start = moment.to_jiff()?.to_zoned(self.zone.clone());
        let next = self.cron.find_next_occurrence(&start, false).ok()?;
        Some(next.timestamp().into()).filter(|next| *next > moment)
    }

    /// The last slot at or before `now` that lies after `after`: what is owed to a schedule that
    /// was not looked at for a while.
    pub fn last_between(&self, after: Timestamp, now: Timestamp) -> Option<Timestamp> {
        let start = now.to_jiff()?.to_zoned(self.zone.clone());
        let last: Timestamp =
            self.cron.find_previous_occurrence(&start, true).ok()?.timestamp().into();
        (last > after && last <= now).then_some(last)
    }

    /// The expression in words.
    pub fn describe(&self) -> String {
        self.cron.describe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(cron: &str, timezone: &str) -> Timetable {
        Schedule { cron: cron.into(), timezone: timezone.into() }.parse().unwrap()
    }

    fn at(text: &str) -> Timestamp {
        text.parse::<jiff::Timestamp>().unwrap().into()
    }

    #[test]
    fn slots_follow_the_zone_and_its_clock_changes() {
        let daily = table("30 2 * * *", "Europe/Berlin");
        // 2026-03-29: 02:00 becomes 03:00; the slot moves to the first moment after the gap.
        assert_eq!(daily.next_after(at("2026-03-28T12:00:00Z")), Some(at("2026-03-29T01:00:00Z")));
        // 2026-10-25: 03:00 becomes 02:00; the slot fires the first time only.
        assert_eq!(daily.next_after(at("2026-10-24T12:00:00Z")), Some(at("2026-10-25T00:30:00Z")));
        assert_eq!(daily.next_after(at("2026-10-25T00:30:00Z")), Some(at("2026-10-26T01:30:00Z")));
        let weekdays = table("0 7 * * 1-5", "America/New_York");
        assert_eq!(
            weekdays.next_after(at("2026-11-20T13:00:00Z")),
            Some(at("2026-11-23T12:00:00Z"))
        );
    }

    #[test]
    fn what_is_owed_is_the_last_slot_not_after_now() {
        let seconds = table("*/5 * * * * *", "UTC");
        let now = at("2026-01-01T00:00:12Z");
        let slot = at("2026-01-01T00:00:10Z");
        assert_eq!(seconds.last_between(at("2026-01-01T00:00:00Z"), now), Some(slot));
        assert_eq!(seconds.last_between(slot, now), None);
        assert_eq!(seconds.last_between(at("2026-01-01T00:00:05Z"), slot), Some(slot));
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        let parse =
            |cron: &str, zone: &str| Schedule { cron: cron.into(), timezone: zone.into() }.parse();
        assert!(matches!(parse("61 * * * *", "UTC"), Err(Error::Expression { .. })));
        assert!(matches!(parse("* * * * *", "Mars/Olympus"), Err(Error::Zone(_))));
        assert!(matches!(parse("", "UTC"), Err(Error::Expression { .. })));
    }

    #[test]
    fn a_date_that_never_comes_has_no_slot() {
        assert_eq!(table("0 0 30 2 *", "UTC").next_after(at("2026-01-01T00:00:00Z")), None);
    }
}

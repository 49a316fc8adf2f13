//! What clock changes do to the slots of a schedule.

use jiff::civil::DateTime;
use jiff::{SignedDuration, tz::Offset};

use super::Timetable;
use super::timetable::Rule;
use crate::clock::Timestamp;

/// Most times on the clock that are looked at in one change.
const MANY: usize = 100_000;

/// A change of the zone's clock that touches slots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClockChange {
    /// When.
    pub at: Timestamp,
    /// What the clock would have shown then.
    pub from: DateTime,
    /// What it shows instead.
    pub to: DateTime,
    /// What it does.
    pub effect: Effect,
    /// The first time on the clock that it does it to.
    pub first: DateTime,
    /// The last one.
    pub last: DateTime,
    /// How many they are.
    pub count: usize,
}

/// What a clock change does to times on the clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// They do not exist; their slot is the first moment after the gap.
    Moved,
    /// They do not exist, and have no slot.
    Dropped,
    /// They come twice, and have a slot each time.
    Repeated,
    /// They come twice, and have a slot the first time only.
    FirstOnly,
}

impl Effect {
    /// Its name in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Moved => "moved",
            Self::Dropped => "dropped",
            Self::Repeated => "repeated",
            Self::FirstOnly => "first_only",
        }
    }
}

impl Timetable {
    /// The clock changes after `from` and before `until` that touch slots.
    pub fn clock_changes(&self, from: Timestamp, until: Timestamp) -> Vec<ClockChange> {
        let (Some(start), Some(end)) = (from.to_jiff(), until.to_jiff()) else { return Vec::new() };
        let mut before = self.zone.to_offset(start);
        let mut found = Vec::new();
        for change in self.zone.following(start).take_while(|change| change.timestamp() < end) {
            let after = change.offset();
            found.extend(self.change(change.timestamp(), before, after));
            before = after;
        }
        found
    }

    fn change(&self, at: jiff::Timestamp, before: Offset, after: Offset) -> Option<ClockChange> {
        let (from, to) = (before.to_datetime(at), after.to_datetime(at));
        let times = self.times(from.min(to), from.max(to));
        let (first, last) = (*times.first()?, *times.last()?);
        let at = Timestamp::from(at);
        let effect = if to < from {
            if self.is_fixed_time() { Effect::FirstOnly } else { Effect::Repeated }
        } else if self.next_after(Timestamp(at.0 - 1)) == Some(at) && !self.shows(to) {
            Effect::Moved
        } else {
            Effect::Dropped
        };
        Some(ClockChange { at, from, to, effect, first, last, count: times.len() })
    }

    /// The times on the clock in a range, its end left out, that are the expression's.
    fn times(&self, start: DateTime, end: DateTime) -> Vec<DateTime> {
        let Rule::Cron(cron) = &self.rule else { return Vec::new() };
        let mut times = Vec::new();
        let mut from = start.checked_sub(SignedDuration::from_secs(1)).unwrap_or(start);
        while let Ok(next) = cron.find_next_occurrence(&from, false)
            && next < end
            && times.len() < MANY
        {
            from = next;
            let open = self.calendar.as_ref().is_none_or(|calendar| calendar.is_open(next));
            times.extend(open.then_some(next));
        }
        times
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Calendar, Schedule};
    use super::*;

    fn changes(cron: &str) -> Vec<(Effect, String, String, usize)> {
        let table = Schedule::cron(cron, "Europe/Berlin").timetable(None).unwrap();
        let at = |text: &str| text.parse::<jiff::Timestamp>().unwrap().into();
        table
            .clock_changes(at("2026-01-01T00:00:00Z"), at("2027-01-01T00:00:00Z"))
            .into_iter()
            .map(|change| {
                let time = |at: DateTime| at.strftime("%H:%M").to_string();
                (change.effect, time(change.first), time(change.last), change.count)
            })
            .collect()
    }

    #[test]
    fn slots_that_a_change_touches_are_told() {
        let one = |effect| (effect, "02:30".to_owned(), "02:30".to_owned(), 1);
        assert_eq!(changes("30 2 * * *"), [one(Effect::Moved), one(Effect::FirstOnly)]);
        let many = |effect| (effect, "02:00".to_owned(), "02:45".to_owned(), 4);
        assert_eq!(changes("*/15 * * * *"), [many(Effect::Dropped), many(Effect::Repeated)]);
        assert_eq!(changes("0 12 * * *"), []);
    }

    #[test]
    fn what_a_calendar_takes_out_is_touched_by_no_change() {
        let sundays = Calendar { weekdays: [7].into(), ..Calendar::default() };
        let schedule = Schedule::cron("30 2 * * *", "Europe/Berlin");
        let at = |text: &str| text.parse::<jiff::Timestamp>().unwrap().into();
        let (from, until) = (at("2026-01-01T00:00:00Z"), at("2027-01-01T00:00:00Z"));
        let all = schedule.timetable(None).unwrap().clock_changes(from, until);
        assert_eq!(all.len(), 2, "both on Sundays");
        assert_eq!(schedule.timetable(Some(&sundays)).unwrap().clock_changes(from, until), []);
    }
}

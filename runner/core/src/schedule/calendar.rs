//! Days off and half days: slots that are none.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::{Date, DateTime, Time};
use serde::{Deserialize, Serialize};

use crate::ids::Digest;

/// Days off and half days. What is said of a date goes before what is said of every year's days and
/// of weekdays; a half day of every year is no day at all when it falls on a weekday off.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Calendar {
    /// Weekdays off: 1 for Monday to 7 for Sunday.
    pub weekdays: BTreeSet<i8>,
    /// Dates off.
    pub dates: BTreeSet<Date>,
    /// Days off in every year: month and day.
    pub yearly: BTreeSet<(i8, i8)>,
    /// Half days: from this time on nothing fires.
    pub half: BTreeMap<Date, Time>,
    /// Half days of every year.
    pub half_yearly: Vec<((i8, i8), Time)>,
}

/// A day in a calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Day {
    /// Of one year.
    Date(Date),
    /// Of every year: month and day.
    Yearly(i8, i8),
}

impl Day {
    /// `2026-12-25`, or `12-25` for every year. 29 February is a day of leap years.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
        let parts: Vec<_> = text.split('-').collect();
        match parts.as_slice() {
            [year, month, day]
                if (year.len(), month.len(), day.len()) == (4, 2, 2)
                    && [year, month, day].into_iter().all(|part| digits(part)) =>
            {
                text.parse().ok().map(Self::Date)
            }
            [month, day] if (month.len(), day.len()) == (2, 2) && digits(month) && digits(day) => {
                let (month, day) = (month.parse().ok()?, day.parse().ok()?);
                Date::new(2024, month, day).ok()?;
                Some(Self::Yearly(month, day))
            }
            _ => None,
        }
    }
}

impl Calendar {
    /// Whether a slot at this time of the schedule's zone is one.
    pub fn is_open(&self, local: DateTime) -> bool {
        let (date, time) = (local.date(), local.time());
        let of_year = (date.month(), date.day());
        if let Some(end) = self.half.get(&date) {
            return time < *end;
        }
        if self.dates.contains(&date) {
            return false;
        }
        let half = self.half_yearly.iter().find(|(day, _)| *day == of_year);
        self.leaves_days_like(date) && half.is_none_or(|(_, end)| time < *end)
    }

    /// Whether it leaves days of the kind of this one: its weekday, in its place of the year. What it
    /// says of single dates is left aside.
    pub(super) fn leaves_days_like(&self, date: Date) -> bool {
        !self.yearly.contains(&(date.month(), date.day()))
            && !self.weekdays.contains(&date.weekday().to_monday_one_offset())
    }

    /// What changes when the calendar does.
    pub fn digest(&self) -> Digest {
        // Of plain data: it cannot fail.
        Digest::of(&serde_json::to_vec(self).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::super::Schedule;
    use super::*;
    use crate::clock::Timestamp;

    fn date(text: &str) -> Date {
        text.parse().unwrap()
    }

    fn calendar() -> Calendar {
        Calendar {
            weekdays: [6, 7].into(),
            dates: [date("2026-12-28")].into(),
            yearly: [(12, 25), (1, 1)].into(),
            half: [(date("2026-12-24"), "13:00".parse().unwrap())].into(),
            half_yearly: vec![((12, 31), "12:00".parse().unwrap())],
        }
    }

    fn slots(cron: &str, from: &str, many: usize) -> Vec<String> {
        let table = Schedule::cron(cron, "Europe/Berlin").timetable(Some(&calendar())).unwrap();
        let from: Timestamp = from.parse::<jiff::Timestamp>().unwrap().into();
        let next = |slot: &Timestamp| table.next_after(*slot);
        let local = |slot| table.local(slot).unwrap().strftime("%m-%d %H:%M").to_string();
        std::iter::successors(next(&from), next).take(many).map(local).collect()
    }

    #[test]
    fn days_off_have_no_slots_and_half_days_end() {
        // Thursday the 24th is half, the 25th is off, then a weekend, then a day off.
        assert_eq!(
            slots("0 */6 * * *", "2026-12-23T22:00:00Z", 9),
            [
                "12-24 00:00",
                "12-24 06:00",
                "12-24 12:00",
                "12-29 00:00",
                "12-29 06:00",
                "12-29 12:00",
                "12-29 18:00",
                "12-30 00:00",
                "12-30 06:00"
            ]
        );
        assert_eq!(
            slots("0 12 * * *", "2026-12-30T12:00:00Z", 2),
            ["01-04 12:00", "01-05 12:00"],
            "a half day that ends at 12:00 has no slot at 12:00"
        );
    }

    #[test]
    fn a_calendar_can_leave_nothing() {
        let table = |cron| Schedule::cron(cron, "UTC").timetable(Some(&calendar())).unwrap();
        assert_eq!(table("0 9 25 12 *").next_after(Timestamp(0)), None);
        assert_eq!(table("0 9 * * SUN").next_after(Timestamp(0)), None);
        // A date that is half goes before its weekday, which is off.
        let sunday = ("2026-12-27", "2026-12-27T08:00:00Z");
        let half = [(date(sunday.0), "13:00".parse().unwrap())].into();
        let calendar = Calendar { half, ..calendar() };
        let table = Schedule::cron("0 8 * * SUN", "UTC").timetable(Some(&calendar)).unwrap();
        let slot: jiff::Timestamp = sunday.1.parse().unwrap();
        assert_eq!(
            table.next_after("2026-01-01T00:00:00Z".parse::<jiff::Timestamp>().unwrap().into()),
            Some(slot.into())
        );
    }

    #[test]
    fn a_day_is_a_date_or_one_of_every_year() {
        assert_eq!(Day::parse("2026-12-25"), Some(Day::Date(date("2026-12-25"))));
        assert_eq!(Day::parse("02-29"), Some(Day::Yearly(2, 29)));
        for bad in ["2026-02-29", "13-01", "1-1", "25.12.", "", "2026-12-25T00", "26-12-25"] {
            assert_eq!(Day::parse(bad), None, "{bad}");
        }
    }
}

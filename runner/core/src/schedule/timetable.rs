//! A schedule that can be asked for its slots.

use std::collections::VecDeque;
use std::time::Duration;

use cron::parser::{CronParser, Seconds, Year};
use cron::{Cron, JobType, Weekday};
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Zoned};

use super::{Calendar, Fires};
use crate::clock::Timestamp;

/// Croner gives up on a gap that is longer: an island that crosses the date line loses a day.
const LONG_GAP: i32 = 7_200;
/// Changes of a zone's clock that are looked through for a long gap.
const CHANGES: usize = 2_000;
/// Days that a calendar takes out one after the other before a schedule counts as one that never
/// fires: every day of a generation.
const DAYS_OUT: usize = 10_000;
/// Years of every kind: the seven weekdays that a year can begin with, with and without a leap day.
/// Between two centuries all of them come within 28 years.
const YEARS: std::ops::RangeInclusive<i16> = 2000..=2027;
/// How much wider each look back for the latest slots is than the one before.
const WIDER: u32 = 4;

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
    /// Not a moment.
    #[error("`{0}` is not a moment")]
    Moment(String),
    /// The zone is not in the IANA database.
    #[error("`{0}` is not a time zone of the IANA database")]
    Zone(String),
}

/// A schedule that can be asked for its slots.
#[derive(Debug, Clone)]
pub struct Timetable {
    pub(super) rule: Rule,
    /// Whether there is a day of the rule at all that the calendar leaves.
    comes: bool,
    pub(super) zone: TimeZone,
    pub(super) calendar: Option<Calendar>,
}

#[derive(Debug, Clone)]
pub(super) enum Rule {
    /// Boxed: a pattern is much larger than a moment.
    Cron(Box<Cron>),
    Once(Timestamp),
}

impl Timetable {
    pub(super) fn new(
        fires: &Fires,
        timezone: &str,
        calendar: Option<Calendar>,
    ) -> Result<Self, Error> {
        let rule = match fires {
            Fires::Cron(expression) => Rule::Cron(Box::new(parse(expression)?)),
            Fires::At(moment) => Rule::Once(*moment),
        };
        let zone = TimeZone::get(timezone).map_err(|_| Error::Zone(timezone.to_owned()))?;
        let comes = match &rule {
            Rule::Cron(cron) => has_a_day(cron, calendar.as_ref()),
            Rule::Once(_) => true,
        };
        Ok(Self { rule, comes, zone, calendar })
    }

    /// The first slot strictly after a moment; `None` when there is none in the years that the
    /// calendar knows.
    pub fn next_after(&self, moment: Timestamp) -> Option<Timestamp> {
        let mut from = moment;
        for _ in 0..DAYS_OUT {
            let slot = self.next_of_rule(from)?;
            let Some(calendar) = &self.calendar else { return Some(slot) };
            let local = self.local(slot)?;
            if calendar.is_open(local.datetime()) {
                return Some(slot);
            }
            // Nothing more on that day: days off are whole, and half days end.
            let tomorrow = local.date().tomorrow().ok()?;
            let midnight = tomorrow.to_zoned(self.zone.clone()).ok()?.timestamp();
            from = Timestamp(Timestamp::from(midnight).0 - 1).max(slot);
        }
        None
    }

    fn next_of_rule(&self, moment: Timestamp) -> Option<Timestamp> {
        let cron = match &self.rule {
            Rule::Once(slot) => return Some(*slot).filter(|slot| *slot > moment),
            // To find that out day by day takes croner three thousand years.
            Rule::Cron(_) if !self.comes => return None,
            Rule::Cron(cron) => cron,
        };
        let start = self.local(moment)?;
        match cron.find_next_occurrence(&start, false) {
            Ok(next) => {
                let slot = Timestamp::from(next.timestamp());
                if self.is_after_long_gap(cron, &next) {
                    self.next_of_rule(slot)
                } else {
                    Some(slot)
                }
            }
            Err(_) => self.beyond_long_gap(cron, &start),
        }
    }

    /// Whether croner moved a slot over a long gap: it does that for the last two hours before the
    /// gap's end, however long the gap is.
    fn is_after_long_gap(&self, cron: &Cron, slot: &Zoned) -> bool {
        let Ok(before) = slot.timestamp().checked_sub(SignedDuration::from_secs(1)) else {
            return false;
        };
        !cron.is_time_matching(&slot.datetime()).unwrap_or(true)
            && slot.offset().seconds() - self.zone.to_offset(before).seconds() > LONG_GAP
    }

    /// The first slot after a gap that croner does not step over. What such a gap swallows is not
    /// made up for: the day did not exist.
    fn beyond_long_gap(&self, cron: &Cron, start: &Zoned) -> Option<Timestamp> {
        let mut before = self.zone.to_offset(start.timestamp());
        for change in self.zone.following(start.timestamp()).take(CHANGES) {
            let gap = change.offset().seconds() - before.seconds();
            before = change.offset();
            if gap > LONG_GAP {
                let after = change.timestamp().to_zoned(self.zone.clone());
                if let Ok(next) = cron.find_next_occurrence(&after, true) {
                    return Some(next.timestamp().into());
                }
            }
        }
        None
    }

    /// The latest slots after `after` and up to `until`, at most so many, oldest first.
    pub fn latest(&self, after: Timestamp, until: Timestamp, most: usize) -> Vec<Timestamp> {
        let mut back = Duration::from_mins(1);
        loop {
            let from = until.minus(back).max(after);
            let found = self.between(from, until, most);
            if from == after || found.len() >= most {
                return found;
            }
            back = back.saturating_mul(WIDER);
        }
    }

    fn between(&self, after: Timestamp, until: Timestamp, most: usize) -> Vec<Timestamp> {
        let mut found = VecDeque::new();
        let mut from = after;
        while let Some(slot) = self.next_after(from).filter(|slot| *slot <= until) {
            if found.len() == most {
                found.pop_front();
            }
            found.push_back(slot);
            from = slot;
        }
        found.truncate(most);
        found.into()
    }

    /// The slot in words.
    pub fn describe(&self) -> String {
        match &self.rule {
            Rule::Cron(cron) => cron.describe(),
            Rule::Once(moment) => match self.local(*moment) {
                Some(local) => format!("Once, on {}.", local.strftime("%Y-%m-%d at %H:%M:%S")),
                None => "Once.".to_owned(),
            },
        }
    }

    /// A moment as clocks in the schedule's zone show it.
    pub fn local(&self, moment: Timestamp) -> Option<Zoned> {
        Some(moment.to_jiff()?.to_zoned(self.zone.clone()))
    }

    /// Whether the slots are one time of day, which a clock change moves; others follow the clock.
    pub(super) fn is_fixed_time(&self) -> bool {
        match &self.rule {
            Rule::Cron(cron) => cron.determine_job_type() == JobType::FixedTime,
            Rule::Once(_) => true,
        }
    }

    /// Whether a time on the clock is one of the expression's, whatever the zone and the calendar
    /// make of it.
    pub(super) fn shows(&self, local: DateTime) -> bool {
        match &self.rule {
            Rule::Cron(cron) => cron.is_time_matching(&local).unwrap_or(false),
            Rule::Once(_) => true,
        }
    }
}

/// Reads an expression of five or six fields, or a nickname like `@daily`.
fn parse(expression: &str) -> Result<Cron, Error> {
    let parser = CronParser::builder().seconds(Seconds::Optional).year(Year::Disallowed).build();
    parser.parse(expression).map_err(|error| Error::Expression {
        expression: expression.to_owned(),
        reason: error.to_string(),
    })
}

/// Whether any date is one of the expression's and left by the calendar. Exact: which days of a year
/// are depends on nothing but the year's kind. No field names years, what a field says of a day (`L`,
/// `W`, `#`) looks at its month only, and the dates that a calendar takes out are only so many.
fn has_a_day(cron: &Cron, calendar: Option<&Calendar>) -> bool {
    let is_left = |date| calendar.is_none_or(|calendar| calendar.leaves_days_like(date));
    let months = || (1..=12).filter(|month| is_month(cron, *month));
    let mut firsts =
        YEARS.flat_map(|year| months().filter_map(move |month| Date::new(year, month, 1).ok()));
    let has_one = |first: Date| {
        let days = (1..=first.days_in_month()).filter_map(|day| first.with().day(day).build().ok());
        days.into_iter().any(|date| is_day(cron, date) && is_left(date))
    };
    firsts.any(has_one)
        || calendar.is_some_and(|calendar| {
            calendar.half.keys().any(|date| is_month(cron, date.month()) && is_day(cron, *date))
        })
}

/// Whether a month is one of the expression's; whoever cannot tell says that it is.
fn is_month(cron: &Cron, month: i8) -> bool {
    cron.pattern.month_match(month.unsigned_abs().into()).unwrap_or(true)
}

/// Whether a day of such a month is one of the expression's, likewise.
fn is_day(cron: &Cron, date: Date) -> bool {
    let of_week = date.weekday().to_sunday_zero_offset().unsigned_abs();
    let weekday = Weekday::from_days_from_sunday(of_week.into());
    let (month, day) = (date.month().unsigned_abs(), date.day().unsigned_abs());
    cron.pattern.day_match(date.year().into(), month.into(), day.into(), weekday).unwrap_or(true)
}

#[cfg(test)]
mod tests {
    use super::super::Schedule;
    use super::*;

    fn table(cron: &str, timezone: &str) -> Timetable {
        Schedule::cron(cron, timezone).timetable(None).unwrap()
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
    fn a_day_that_does_not_exist_ends_no_schedule() {
        // Samoa had no 30 December 2011.
        let noon = table("0 12 * * *", "Pacific/Apia");
        assert_eq!(noon.next_after(at("2011-12-29T23:00:00Z")), Some(at("2011-12-30T22:00:00Z")));
        let late = table("59 23 * * *", "Pacific/Apia");
        assert_eq!(late.next_after(at("2011-12-30T09:59:00Z")), Some(at("2011-12-31T09:59:00Z")));
    }

    #[test]
    fn the_latest_slots_are_the_last_ones_not_after_now() {
        let seconds = table("*/5 * * * * *", "UTC");
        let now = at("2026-01-01T00:00:12Z");
        let slot = at("2026-01-01T00:00:10Z");
        assert_eq!(seconds.latest(at("2026-01-01T00:00:00Z"), now, 1), [slot]);
        assert_eq!(seconds.latest(slot, now, 1), []);
        assert_eq!(seconds.latest(at("2025-01-01T00:00:00Z"), slot, 2).last(), Some(&slot));
        let yearly = table("@yearly", "UTC");
        let (start, now) = (at("2020-06-01T00:00:00Z"), at("2026-06-01T00:00:00Z"));
        assert_eq!(yearly.latest(start, now, 100).len(), 6);
        assert_eq!(yearly.latest(start, now, 1), [at("2026-01-01T00:00:00Z")]);
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        let parse = |cron: &str, zone: &str| Schedule::cron(cron, zone).timetable(None);
        for bad in ["61 * * * *", "", "* * * *", "* * * * * * *", "@reboot", "@fortnightly"] {
            assert!(matches!(parse(bad, "UTC"), Err(Error::Expression { .. })), "{bad}");
        }
        assert!(matches!(parse("* * * * *", "Mars/Olympus"), Err(Error::Zone(_))));
    }

    #[test]
    fn a_date_that_never_comes_has_no_slot() {
        assert_eq!(table("0 0 30 2 *", "UTC").next_after(at("2026-01-01T00:00:00Z")), None);
        assert_eq!(table("0 0 30 2 *", "Pacific/Apia").next_after(Timestamp(0)), None);
    }

    /// Expressions of every shape that says on which days, impossible ones among them.
    fn of_days() -> impl Iterator<Item = String> {
        let days = [
            "*", "1", "29", "30", "31", "30,31", "29-31", "1-7", "L", "LW", "1W", "29W", "31W",
            "31,1W",
        ];
        let months = ["*", "FEB", "FEB,APR", "2,4,6,9,11", "12"];
        let weekdays = ["*", "+MON", "+SAT#5", "+5L", "+SUN#2"];
        let all = days.into_iter().flat_map(move |day| {
            months.into_iter().flat_map(move |month| {
                weekdays.into_iter().map(move |weekday| format!("0 0 {day} {month} {weekday}"))
            })
        });
        // Each kind of year has one of them.
        let kinds = ["29 2", "31 12"].into_iter();
        all.chain(kinds.flat_map(|day| (0..7).map(move |weekday| format!("0 0 {day} +{weekday}"))))
    }

    #[test]
    fn a_date_comes_when_one_of_four_hundred_years_has_it() {
        // The calendar repeats after 400 years: no year has a day that these do not have.
        let first = jiff::civil::date(1970, 1, 1);
        let dates = first.series(jiff::Span::new().days(1)).take_while(|date| date.year() < 2370);
        let dates: Vec<_> = dates.map(|date| date.to_datetime(jiff::civil::Time::MIN)).collect();
        let start = at("2026-01-01T00:00:00Z");
        let weekends = Calendar { weekdays: [6, 7].into(), ..Calendar::default() };
        let (mut coming, mut never) = (0, 0);
        for expression in of_days() {
            let cron = parse(&expression).unwrap();
            for calendar in [None, Some(&weekends)] {
                let schedule = Schedule::cron(&expression, "UTC");
                let found = schedule.timetable(calendar).unwrap().next_after(start);
                let is_one = |date: &&DateTime| {
                    cron.pattern.month_match(date.month().unsigned_abs().into()).unwrap()
                        && cron.is_time_matching(*date).unwrap()
                        && calendar.is_none_or(|calendar| calendar.is_open(**date))
                };
                let comes = dates.iter().find(is_one).is_some();
                assert_eq!(has_a_day(&cron, calendar), comes, "{expression} {calendar:?}");
                let later = dates.iter().skip_while(|date| date.year() < 2026);
                let next = later.filter(|date| date.date() > jiff::civil::date(2026, 1, 1));
                let next = if comes { next.clone().find(is_one) } else { None };
                let next =
                    next.map(|date| date.to_zoned(TimeZone::UTC).unwrap().timestamp().into());
                assert_eq!(found, next, "{expression} {calendar:?}");
                *if comes { &mut coming } else { &mut never } += 1;
            }
        }
        assert!(coming > 300 && never > 50, "{coming} come and {never} do not");
    }

    #[test]
    fn a_single_moment_is_the_only_slot() {
        let once = Schedule::new(Fires::At(Timestamp(50)), "UTC").timetable(None).unwrap();
        assert_eq!(once.next_after(Timestamp(49)), Some(Timestamp(50)));
        assert_eq!(once.next_after(Timestamp(50)), None);
        assert_eq!(once.latest(Timestamp(0), Timestamp(100), 5), [Timestamp(50)]);
    }
}

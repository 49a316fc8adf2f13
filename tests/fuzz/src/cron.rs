//! Schedules: an expression, its slots over the years, and it in words.
//!
//! The bytes are lines: the expression, a time zone, a moment in microseconds, a calendar as JSON,
//! a moment as a person writes it.

use std::path::Path;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use signalbox_core::clock::Timestamp;
use signalbox_core::schedule::{Calendar, Schedule, Timetable, moment};

use crate::seeds::{Seed, texts};

/// Slots that are looked at.
const SLOTS: usize = 8;
/// Minutes before a slot in which there must be none.
const MINUTES: i64 = 600;
/// A day, in microseconds.
const DAY: i64 = 86_400_000_000;

pub(crate) fn run(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let mut lines = text.lines();
    let mut line = || lines.next().unwrap_or_default();
    let (expression, zone) = (line(), Some(line()).filter(|zone| !zone.is_empty()));
    let zone = zone.unwrap_or("UTC");
    let from = Timestamp(line().parse().unwrap_or(1_800_000_000_000_000));
    let calendar: Option<Calendar> = serde_json::from_str(line()).ok();
    written(line(), zone);
    let schedule = Schedule::cron(expression, zone);
    let Ok(table) = schedule.timetable(calendar.as_ref()) else { return };
    assert!(!table.describe().is_empty(), "an expression without words");
    let slots = slots(&table, from);
    latest(&table, from, &slots);
    changes(&table, from);
    let Ok(zone) = TimeZone::get(zone) else { unreachable!("the schedule's zone is known") };
    let fields = Fields::parse(expression);
    let mut before = from;
    for slot in &slots {
        let local = slot.to_jiff().expect("a slot in the calendar").to_zoned(zone.clone());
        let is_open = calendar.as_ref().is_none_or(|calendar| calendar.is_open(local.datetime()));
        assert!(is_open, "a slot on a day off: {slot}");
        if let Some(fields) = &fields
            && is_calm(&zone, *slot)
        {
            assert!(fields.match_at(local.datetime()), "`{expression}` does not say {local}");
            fields.nothing_between(before, *slot, (&zone, calendar.as_ref()));
        }
        before = *slot;
    }
}

/// The next slots, each later than what it follows.
fn slots(table: &Timetable, from: Timestamp) -> Vec<Timestamp> {
    let mut slots = Vec::new();
    let mut at = from;
    while let (Some(slot), true) = (table.next_after(at), slots.len() < SLOTS) {
        assert!(slot > at, "{slot} is not after {at}");
        assert_eq!(
            table.next_after(Timestamp(slot.0 - 1)),
            Some(slot),
            "not found from just before"
        );
        slots.push(slot);
        at = slot;
    }
    slots
}

/// Looking back finds what looking ahead found.
fn latest(table: &Timetable, from: Timestamp, slots: &[Timestamp]) {
    let Some(last) = slots.last() else { return };
    // A hundred years of a rare schedule are looked through in days.
    if last.0.saturating_sub(from.0) < 400 * DAY {
        assert_eq!(table.latest(from, *last, SLOTS + 1), slots, "the same slots looking back");
        let three = slots.len().saturating_sub(3);
        assert_eq!(table.latest(from, *last, 3), slots[three..], "the last ones");
    }
}

fn changes(table: &Timetable, from: Timestamp) {
    let until = Timestamp(from.0.saturating_add(200 * DAY));
    for change in table.clock_changes(from, until) {
        assert!(change.at > from && change.at < until, "a change outside: {change:?}");
        assert!(change.count > 0 && change.first <= change.last, "a change of nothing: {change:?}");
        assert_ne!(change.from, change.to, "a change that changes nothing");
    }
}

/// A moment that is read is read again from how it is shown.
fn written(text: &str, zone: &str) {
    if let Ok(at) = moment(text, zone) {
        assert_eq!(moment(&at.to_string(), zone), Ok(at), "a moment as it is shown");
    }
}

/// Whether no clock was changed around a moment: then it shows every time once.
fn is_calm(zone: &TimeZone, slot: Timestamp) -> bool {
    let around = |days: i64| Timestamp(slot.0.saturating_add(days * DAY)).to_jiff();
    let (Some(start), Some(end)) = (around(-2), around(1)) else { return false };
    zone.following(start).next().is_none_or(|change| change.timestamp() > end)
}

/// An expression of numbers, lists, ranges and steps, read without croner.
struct Fields {
    /// Seconds, minutes, hours, days, months, weekdays from Sunday.
    sets: [u64; 6],
}

impl Fields {
    /// Only what every cron reads alike: no names, no `L`, not both kinds of days.
    fn parse(expression: &str) -> Option<Self> {
        let parts: Vec<_> = expression.split_ascii_whitespace().collect();
        let parts = match parts.as_slice() {
            five if five.len() == 5 => [&["0"], five].concat(),
            six if six.len() == 6 => six.to_vec(),
            _ => return None,
        };
        if parts[3] != "*" && parts[5] != "*" {
            return None;
        }
        let bounds = [(0, 59), (0, 59), (0, 23), (1, 31), (1, 12), (0, 7)];
        let mut sets = [0; 6];
        for ((set, part), bounds) in sets.iter_mut().zip(parts).zip(bounds) {
            for item in part.split(',') {
                *set |= Self::item(item, bounds)?;
            }
        }
        // Sunday has two numbers.
        sets[5] = (sets[5] | sets[5] >> 7) & 0x7f;
        Some(Self { sets })
    }

    fn item(text: &str, (least, most): (u32, u32)) -> Option<u64> {
        let number = |text: &str| {
            let plain = (1..=2).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
            text.parse().ok().filter(|n: &u32| plain && (least..=most).contains(n))
        };
        let (range, step) = match text.split_once('/') {
            Some((range, step)) => {
                (range, step.parse().ok().filter(|step| (1..=59).contains(step))?)
            }
            None => (text, 1),
        };
        let (start, end) = match range.split_once('-') {
            _ if range == "*" => (least, if most == 7 { 6 } else { most }),
            Some((start, end)) => (number(start)?, number(end)?),
            None if step == 1 && !text.contains('/') => (number(range)?, number(range)?),
            None => return None,
        };
        (start <= end).then(|| (start..=end).step_by(step).map(|n| 1_u64 << n).sum())
    }

    fn match_at(&self, local: DateTime) -> bool {
        let weekday = local.weekday().to_sunday_zero_offset();
        let (date, time) = (local.date(), local.time());
        let shown = [time.second(), time.minute(), time.hour(), date.day(), date.month(), weekday];
        self.sets.iter().zip(shown).all(|(set, shown)| set >> shown & 1 == 1)
    }

    /// No slot was passed over, as far back as is looked.
    fn nothing_between(
        &self,
        from: Timestamp,
        slot: Timestamp,
        (zone, calendar): (&TimeZone, Option<&Calendar>),
    ) {
        let minute: i64 = 60_000_000;
        let second = self.sets[0].trailing_zeros();
        let last = slot.0.div_euclid(minute) * minute;
        for back in 1..=MINUTES {
            let at = Timestamp(last - back * minute + i64::from(second) * 1_000_000);
            if at <= from {
                return;
            }
            let Some(moment) = at.to_jiff() else { return };
            let local = moment.to_zoned(zone.clone()).datetime();
            let is_open = calendar.is_none_or(|calendar| calendar.is_open(local));
            assert!(!is_open || !self.match_at(local), "{at} was passed over before {slot}");
        }
    }
}

pub(crate) fn seeds(_: &Path) -> Vec<Seed> {
    let calendar = r#"{"weekdays":[6,7],"dates":["2026-12-28"],"yearly":[[12,25]],"half":{"2026-12-24":"13:00:00"},"half_yearly":[[[12,31],"12:00:00"]]}"#;
    let zones = ["UTC", "Europe/Berlin", "America/New_York", "Pacific/Apia", "Australia/Lord_Howe"];
    let expressions = [
        "0 7 * * 1-5",
        "*/5 * * * * *",
        "30 2 * * *",
        "@yearly",
        "@daily",
        "0 0 L * *",
        "5/7 * * * *",
        "15,45 9-17/2 1 JAN-JUN MON",
        "0 0 * * FRI#2",
        "0 9 15W * *",
        "0 12 29 2 *",
        "59 23 31 12 7",
        "*/15 0-3 * * *",
        "0 0 1 * 1",
        "* * * * *",
        "0 0 ? * SUN",
        "10-50/20 * * */2 *",
        "0 0 * * 5L",
    ];
    let moments = ["2026-12-24T18:00:00+05:30", "2026-03-29T02:30", "2011-12-30T10:00"];
    let starts = ["1774738800000000", "1325200000000000", "", "-62135596800000000"];
    texts(expressions.iter().enumerate().map(|(at, expression)| {
        let calendar = if at % 3 == 0 { calendar } else { "" };
        let (zone, start, moment) = (zones[at % 5], starts[at % 4], moments[at % 3]);
        format!("{expression}\n{zone}\n{start}\n{calendar}\n{moment}")
    }))
}

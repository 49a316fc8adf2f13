//! What schedules fire over clock changes, against a table that was worked out in another way.

#![expect(clippy::unwrap_used, reason = "what the tests share may fail as they may")]

use signalbox_core::clock::Timestamp;
use signalbox_core::schedule::Schedule;

/// Written by `slots/generate.py`, which knows neither croner nor jiff.
const TABLE: &str = include_str!("slots/slots.tsv");

fn at(text: &str) -> Timestamp {
    text.parse::<jiff::Timestamp>().unwrap().into()
}

fn rows() -> impl Iterator<Item = [&'static str; 4]> {
    let lines = TABLE.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| line.split('\t').collect::<Vec<_>>().try_into().unwrap())
}

#[test]
fn slots_are_those_of_the_table() {
    let mut wrong = Vec::new();
    for [cron, zone, from, slots] in rows() {
        let table = Schedule::cron(cron, zone).timetable(None).unwrap();
        let next = |slot: &Timestamp| table.next_after(*slot);
        let found: Vec<_> = std::iter::successors(next(&at(from)), next).take(5).collect();
        let expected: Vec<_> = slots.split(' ').map(at).collect();
        if found != expected {
            let found: Vec<_> = found.iter().map(ToString::to_string).collect();
            wrong.push(format!("{cron} in {zone} from {from}:\n  {slots}\n  {}", found.join(" ")));
        }
    }
    assert!(wrong.is_empty(), "{} rows differ\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn the_table_is_large_enough_to_mean_something() {
    let zones: std::collections::BTreeSet<_> = rows().map(|[_, zone, ..]| zone).collect();
    assert!(rows().count() >= 300 && zones.len() >= 6);
}

#[test]
fn a_slot_is_found_from_any_moment_before_it_and_counted_once_looking_back() {
    for [cron, zone, from, slots] in rows() {
        let table = Schedule::cron(cron, zone).timetable(None).unwrap();
        let expected: Vec<_> = slots.split(' ').map(at).collect();
        let mut before = at(from);
        for slot in &expected {
            assert_eq!(table.next_after(Timestamp(slot.0 - 1)), Some(*slot), "{cron} {zone}");
            let middle = Timestamp(before.0.midpoint(slot.0));
            assert_eq!(table.next_after(middle), Some(*slot), "{cron} {zone}");
            before = *slot;
        }
        let last = expected.last().copied().unwrap();
        assert_eq!(table.latest(at(from), last, 9), expected, "{cron} {zone}");
    }
}

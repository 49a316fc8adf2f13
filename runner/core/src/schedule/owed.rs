//! Which slots are to fire now.

use std::time::Duration;

use super::{MissedPolicy, Schedule, Timetable};
use crate::clock::Timestamp;

/// A slot that is late by at most this is not missed: it fires, whatever the policy.
const LATE: Duration = Duration::from_mins(1);

/// What is to be done for a schedule at a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owed {
    /// The slots that fire, oldest first.
    pub slots: Vec<Timestamp>,
    /// Everything up to here is settled: fired, or passed over for good.
    pub upto: Timestamp,
    /// The next slot with the moment at which it fires.
    pub next: Option<(Timestamp, Timestamp)>,
}

/// Which slots after `last` fire at `now`. `of` is the flow's full name; see [`Schedule::delay`].
///
/// Slots fire in order: one whose jitter is shorter than that of the slot before waits for it.
/// Everything that is later than its own delay by at most a minute fires. What is older was missed,
/// and the schedule's policy decides. A clock that stands before `last` owes nothing.
pub fn owed(
    schedule: &Schedule,
    table: &Timetable,
    of: &str,
    last: Timestamp,
    now: Timestamp,
) -> Owed {
    let recent = last.max(now.minus(LATE).minus(schedule.jitter));
    let fires_at = |slot: Timestamp| slot.plus(schedule.delay(of, slot));
    let mut fresh = Vec::new();
    let mut from = recent;
    let mut next = table.next_after(from);
    while let Some(slot) = next.filter(|slot| fires_at(*slot) <= now) {
        fresh.push(slot);
        from = slot;
        next = table.next_after(from);
    }
    // A slot that has come and waits for its delay is later than any that was missed.
    let pending = next.filter(|slot| *slot <= now);
    let oldest = last.max(now.minus(schedule.missed.window));
    let mut slots = match schedule.missed.policy {
        _ if oldest >= recent => Vec::new(),
        MissedPolicy::None => Vec::new(),
        MissedPolicy::Latest if pending.is_some() || !fresh.is_empty() => Vec::new(),
        MissedPolicy::Latest => table.latest(oldest, recent, 1),
        MissedPolicy::All => table.latest(oldest, recent, schedule.missed.cap as usize),
    };
    slots.append(&mut fresh);
    let upto = pending.map_or(now, |slot| Timestamp(slot.0 - 1)).max(last);
    Owed { slots, upto, next: next.map(|slot| (slot, fires_at(slot))) }
}

#[cfg(test)]
mod tests {
    use super::super::Missed;
    use super::*;

    fn at(text: &str) -> Timestamp {
        format!("2026-01-{text}Z").parse::<jiff::Timestamp>().unwrap().into()
    }

    fn missed(policy: MissedPolicy, hours: u64, cap: u32) -> Missed {
        Missed { policy, window: Duration::from_hours(hours), cap }
    }

    fn fire(schedule: &Schedule, last: &str, now: &str) -> Vec<Timestamp> {
        let table = schedule.timetable(None).unwrap();
        owed(schedule, &table, "ops/f", at(last), at(now)).slots
    }

    #[test]
    fn late_slots_all_fire_and_of_missed_ones_the_latest() {
        let seconds = Schedule::cron("* * * * * *", "UTC");
        assert_eq!(fire(&seconds, "01T00:00:00", "01T00:00:03").len(), 3);
        let nightly = Schedule::cron("0 3 * * *", "UTC");
        assert_eq!(fire(&nightly, "01T02:59:00", "01T03:40:00"), [at("01T03:00:00")]);
        assert_eq!(fire(&nightly, "01T02:59:00", "01T05:00:00"), []);
        let quarters = Schedule::cron("*/15 * * * *", "UTC");
        assert_eq!(fire(&quarters, "01T02:59:00", "02T10:50:00"), [at("02T10:45:00")]);
        let only = fire(&quarters, "01T02:59:00", "02T10:45:30");
        assert_eq!(only, [at("02T10:45:00")], "the latest is here; none is made up for");
    }

    #[test]
    fn each_policy_has_its_window_and_its_cap() {
        let mut quarters = Schedule::cron("*/15 * * * *", "UTC");
        quarters.missed = missed(MissedPolicy::None, 5, 100);
        assert_eq!(fire(&quarters, "01T00:00:00", "01T10:50:00"), []);
        assert_eq!(fire(&quarters, "01T00:00:00", "01T10:45:30"), [at("01T10:45:00")], "late");
        quarters.missed = missed(MissedPolicy::All, 2, 100);
        let all = fire(&quarters, "01T00:00:00", "01T10:50:00");
        assert_eq!((all.len(), all[0]), (8, at("01T09:00:00")));
        quarters.missed = missed(MissedPolicy::All, 2, 3);
        let capped = fire(&quarters, "01T00:00:00", "01T10:50:00");
        assert_eq!(capped, ["10:15", "10:30", "10:45"].map(|slot| at(&format!("01T{slot}:00"))));
    }

    #[test]
    fn a_clock_that_was_set_back_owes_nothing() {
        let mut seconds = Schedule::cron("* * * * * *", "UTC");
        assert_eq!(fire(&seconds, "01T01:00:00", "01T00:00:00"), []);
        seconds.missed = missed(MissedPolicy::All, 24, 100);
        assert_eq!(fire(&seconds, "01T01:00:00", "01T00:00:00"), []);
    }

    #[test]
    fn a_slot_waits_for_its_delay_and_keeps_its_nominal_time() {
        let mut hourly = Schedule::cron("0 * * * *", "UTC");
        hourly.jitter = Duration::from_mins(30);
        let table = hourly.timetable(None).unwrap();
        let slot = at("01T01:00:00");
        let fires_at = slot.plus(hourly.delay("ops/f", slot));
        let early = owed(&hourly, &table, "ops/f", at("01T00:30:00"), Timestamp(fires_at.0 - 1));
        assert_eq!((early.slots.len(), early.next), (0, Some((slot, fires_at))));
        assert!(early.upto < slot, "it is not passed over");
        let due = owed(&hourly, &table, "ops/f", early.upto, fires_at);
        assert_eq!(due.slots, [slot]);
    }

    proptest::proptest! {
        /// However the clock jumps: no slot twice, none lost that is inside the window of `all`.
        #[test]
        fn no_jump_of_the_clock_doubles_or_loses_a_slot(
            steps in proptest::collection::vec((-90_000_i64..90_000, proptest::bool::ANY), 1..60),
            jitter in 0_u64..900,
        ) {
            let mut schedule = Schedule::cron("*/20 * * * *", "Europe/Berlin");
            schedule.jitter = Duration::from_secs(jitter);
            schedule.missed = missed(MissedPolicy::All, 48, 1_000);
            let table = schedule.timetable(None).unwrap();
            let start = at("01T00:00:00");
            let (mut last, mut now, mut high) = (start, start, start);
            let mut fired = Vec::new();
            for (step, small) in steps {
                now = Timestamp(now.0 + if small { step / 100 } else { step } * 1_000_000);
                let found = owed(&schedule, &table, "ops/f", last, now);
                fired.extend(found.slots);
                last = found.upto;
                high = high.max(now);
            }
            let settled = high.minus(schedule.jitter);
            let mut expected = Vec::new();
            let mut from = start;
            while let Some(slot) = table.next_after(from).filter(|slot| *slot <= settled) {
                expected.push(slot);
                from = slot;
            }
            let done: Vec<_> = fired.iter().copied().filter(|slot| *slot <= settled).collect();
            proptest::prop_assert_eq!(done, expected);
        }
    }
}

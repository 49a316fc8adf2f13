//! The timer against a store that fails, a clock that jumps and a runner that dies.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use signalbox_core::catalog::{Flow, Kind, Workspace};
use signalbox_core::clock::Timestamp;
use signalbox_core::schedule::{Missed, MissedPolicy, Schedule};
use signalbox_store::contract::{ScheduleKey, ScheduleState};

use super::Timer;
use crate::live::Live;

const SECOND: i64 = 1_000_000;
const HOUR: i64 = 3_600 * SECOND;
const DAY: i64 = 24 * HOUR;

/// 2026-03-25, a few days before Berlin's clocks change.
const START: Timestamp = Timestamp(1_774_396_800 * SECOND);

fn workspace(schedules: Vec<Schedule>) -> Workspace {
    let flow = Flow { schedules, ..Flow::new("flows/f.yaml") };
    Workspace {
        flows: [("f".parse().unwrap(), flow)].into(),
        ..Workspace::new("ops".parse().unwrap(), Kind::Platform, "a".repeat(40).parse().unwrap())
    }
}

fn live(schedules: Vec<Schedule>) -> Arc<Live> {
    let mut live = Live::default();
    let spec = workspace(schedules);
    live.catalog.workspaces.insert(spec.name.clone(), Arc::new(spec));
    Arc::new(live)
}

/// What a store does with slots: takes those that are later than the last one.
#[derive(Default)]
struct Store {
    last: HashMap<ScheduleKey, Timestamp>,
    fired: HashMap<ScheduleKey, Vec<Timestamp>>,
}

impl Store {
    fn states(&self) -> Vec<ScheduleState> {
        let state = |(key, last): (&ScheduleKey, &Timestamp)| ScheduleState {
            key: key.clone(),
            last_slot: *last,
            paused_at: None,
        };
        self.last.iter().map(state).collect()
    }

    fn take(&mut self, key: &ScheduleKey, slot: Timestamp) {
        let last = self.last.entry(key.clone()).or_insert(START);
        if slot > *last {
            *last = slot;
            self.fired.entry(key.clone()).or_default().push(slot);
        }
    }
}

/// A commit that goes wrong.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fault {
    None,
    /// Nothing of it is stored.
    Refused,
    /// It is stored, and nobody hears of it.
    LostAnswer,
}

fn fire(timer: &mut Timer, store: &mut Store, now: Timestamp, fault: Fault) {
    loop {
        let turn = timer.take(now);
        if turn.owed.is_empty() {
            return;
        }
        for (index, owed) in &turn.owed {
            let key = timer.entries[*index].key.clone();
            if fault != Fault::Refused {
                owed.slots.iter().for_each(|slot| store.take(&key, *slot));
            }
            if fault == Fault::None {
                timer.settle(*index, owed);
            } else {
                timer.give_back(*index);
            }
        }
        if fault != Fault::None {
            return;
        }
    }
}

fn schedules() -> Vec<Schedule> {
    let all = |policy, hours| Missed { policy, window: Duration::from_hours(hours), cap: 1_000 };
    let mut berlin = Schedule::cron("*/20 * * * *", "Europe/Berlin");
    berlin.missed = all(MissedPolicy::All, 24 * 7);
    let mut nightly = Schedule::cron("30 2 * * *", "Europe/Berlin");
    nightly.missed = all(MissedPolicy::All, 24 * 7);
    let mut jittered = Schedule::cron("7 * * * *", "Asia/Kolkata");
    jittered.missed = all(MissedPolicy::All, 24 * 7);
    jittered.jitter = Duration::from_mins(10);
    vec![berlin, nightly, jittered, Schedule::cron("*/30 * * * * *", "UTC")]
}

/// A small generator of numbers (SplitMix64): a seed is all that a failure needs.
struct Draw(u64);

impl Draw {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % bound
    }
}

fn simulate(seed: u64) {
    let mut draw = Draw(seed);
    let live = live(schedules());
    let (mut store, mut timer) = (Store::default(), Timer::default());
    timer.adopt(Arc::clone(&live), Vec::new(), START);
    for entry in &timer.entries {
        store.last.insert(entry.key.clone(), START);
    }
    let (mut now, mut high) = (START, START);
    for _ in 0..120 {
        let step = match draw.below(10) {
            0 => HOUR,
            1 => -HOUR,
            2 => DAY,
            3 => -DAY,
            _ => i64::try_from(draw.below(1_200)).unwrap() * SECOND,
        };
        now = Timestamp(now.0 + step);
        high = high.max(now);
        if draw.below(12) == 0 {
            timer = Timer::default();
            timer.adopt(Arc::clone(&live), store.states(), now);
        }
        let fault = match draw.below(6) {
            0 => Fault::Refused,
            1 => Fault::LostAnswer,
            _ => Fault::None,
        };
        fire(&mut timer, &mut store, now, fault);
    }
    fire(&mut timer, &mut store, high, Fault::None);
    for entry in &timer.entries {
        let fired = store.fired.remove(&entry.key).unwrap_or_default();
        assert!(fired.is_sorted_by(|a, b| a < b), "seed {seed}: twice or out of order: {fired:?}");
        let schedule = entry.schedule().unwrap();
        if schedule.missed.policy != MissedPolicy::All {
            continue;
        }
        let mut expected = entry.table.latest(START, high.minus(schedule.jitter), 100_000);
        let done: Vec<_> =
            fired.into_iter().filter(|at| *at <= high.minus(schedule.jitter)).collect();
        expected.retain(|at| *at > START);
        assert_eq!(done, expected, "seed {seed}: {}", schedule.expression());
    }
}

#[test]
fn no_slot_is_doubled_or_lost_over_jumps_faults_and_restarts() {
    for seed in 0..200 {
        simulate(seed);
    }
}

#[test]
fn a_slot_whose_commit_fails_is_tried_again_and_fires_once() {
    let live = live(vec![Schedule::cron("0 * * * *", "UTC")]);
    let (mut store, mut timer) = (Store::default(), Timer::default());
    timer.adopt(live, Vec::new(), START);
    let slot = timer.next().unwrap();
    fire(&mut timer, &mut store, slot, Fault::Refused);
    assert_eq!(timer.next(), Some(slot), "it is due still");
    fire(&mut timer, &mut store, slot, Fault::LostAnswer);
    fire(&mut timer, &mut store, Timestamp(slot.0 + SECOND), Fault::None);
    assert_eq!(store.fired.values().next().unwrap(), &[slot]);
    assert_eq!(timer.next(), Some(Timestamp(slot.0 + HOUR)), "no drift");
}

#[test]
fn a_paused_schedule_is_not_due_and_owes_nothing_afterwards() {
    let live = live(vec![Schedule::cron("0 * * * *", "UTC")]);
    let mut timer = Timer::default();
    timer.adopt(live, Vec::new(), START);
    let key = timer.entries[0].key.clone();
    timer.set_paused(&key, true, START);
    assert_eq!((timer.next(), timer.upcoming(9).len()), (None, 0));
    let later = Timestamp(START.0 + DAY + HOUR / 2);
    timer.set_paused(&key, false, later);
    assert!(timer.take(later).owed.is_empty());
    assert_eq!(timer.next(), Some(Timestamp(START.0 + DAY + HOUR)));
}

#[test]
fn schedules_with_the_same_pattern_share_what_was_read() {
    let named = |number: usize| {
        let mut schedule = Schedule::cron("*/5 * * * *", "Europe/Berlin");
        schedule.name = Some(format!("s{number}"));
        schedule
    };
    let mut timer = Timer::default();
    timer.adopt(live((0..100).map(named).collect()), Vec::new(), START);
    let first = &timer.entries[0].table;
    assert!(timer.entries.iter().all(|entry| Arc::ptr_eq(first, &entry.table)));
}

#[test]
fn the_next_slots_are_in_the_order_in_which_they_fire() {
    let mut timer = Timer::default();
    timer.adopt(live(schedules()), Vec::new(), START);
    let upcoming = timer.upcoming(500);
    assert_eq!(upcoming.len(), 500);
    assert!(upcoming.is_sorted_by_key(|(_, fires_at, _)| *fires_at));
    assert!(upcoming.iter().all(|(_, fires_at, slot)| fires_at >= slot));
    assert!(timer.upcoming(3).eq(&upcoming[..3]));
}

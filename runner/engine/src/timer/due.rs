//! What is due, and when the next slot is.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, HashMap};
use std::sync::Arc;

use signalbox_core::catalog::Workspace;
use signalbox_core::clock::Timestamp;
use signalbox_core::ids::{Digest, FlowRef};
use signalbox_core::schedule::{Fires, Owed, Schedule, Timetable, owed};
use signalbox_store::contract::{ScheduleKey, ScheduleState};

use super::Replacing;
use crate::live::Live;

/// Most schedules that one turn fires: one transaction.
const TURN: usize = 500;

/// The schedules of what is live, by when they fire next.
#[derive(Debug, Default)]
pub(crate) struct Timer {
    of: Option<Arc<Live>>,
    pub(crate) entries: Vec<Entry>,
    /// When each schedule that goes on fires next, soonest first.
    due: BTreeSet<(Timestamp, usize)>,
    /// Slots that were read before: a thousand flows may share a pattern.
    patterns: HashMap<Pattern, Arc<Timetable>>,
    /// How often something was paused or resumed.
    pub(crate) pauses: u64,
    /// Slots that wait until the run of an earlier one has been cancelled.
    pub(crate) replacing: Replacing,
}

/// What slots follow from.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Pattern {
    fires: Fires,
    timezone: String,
    calendar: Option<Digest>,
}

/// A schedule.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) key: ScheduleKey,
    pub(crate) spec: Arc<Workspace>,
    /// Its place in its flow.
    place: usize,
    pub(crate) table: Arc<Timetable>,
    /// The last slot that fired, or since when it counts.
    pub(crate) fired: Timestamp,
    /// Slots up to here are settled.
    settled: Timestamp,
    /// When it fires next, and for which slot.
    pub(crate) next: Option<(Timestamp, Timestamp)>,
    /// Since when it is paused, itself.
    pub(crate) paused_at: Option<Timestamp>,
    /// Since when its workspace is.
    pub(crate) workspace_paused_at: Option<Timestamp>,
}

/// What is to be fired now.
#[derive(Debug, Default)]
pub(crate) struct Turn {
    /// Each schedule with what it owes.
    pub(crate) owed: Vec<(usize, Owed)>,
}

impl Entry {
    /// The schedule itself.
    pub(crate) fn schedule(&self) -> Option<&Schedule> {
        self.spec.flows.get(&self.key.flow)?.schedules.get(self.place)
    }

    /// The full name of its flow.
    pub(crate) fn flow(&self) -> FlowRef {
        FlowRef { workspace: self.key.workspace.clone(), flow: self.key.flow.clone() }
    }

    fn is_paused(&self) -> bool {
        self.paused_at.or(self.workspace_paused_at).is_some()
    }

    /// The next slot after one: when it fires, and its nominal time.
    fn after(&self, slot: Timestamp) -> Option<(Timestamp, Timestamp)> {
        let next = self.table.next_after(slot)?;
        let delay = self.schedule()?.delay(&self.flow().to_string(), next);
        Some((next.plus(delay), next))
    }
}

impl Timer {
    /// Whether it has taken on what is live.
    pub(crate) fn is_of(&self, live: &Arc<Live>) -> bool {
        self.of.as_ref().is_some_and(|of| Arc::ptr_eq(of, live))
    }

    /// What it has taken on.
    pub(crate) fn live(&self) -> Option<Arc<Live>> {
        self.of.clone()
    }

    /// Takes on the schedules of a new catalog, each where the store says that it stands. One that
    /// the store does not know counts from now.
    pub(crate) fn adopt(&mut self, live: Arc<Live>, states: Vec<ScheduleState>, now: Timestamp) {
        let mut stored: HashMap<_, _> =
            states.into_iter().map(|state| (state.key.clone(), state)).collect();
        let mut known = std::mem::take(&mut self.patterns);
        self.entries.clear();
        self.due.clear();
        for (name, spec) in &live.catalog.workspaces {
            let workspace_paused_at = live.info.get(name).and_then(|info| info.paused_at);
            let calendars: HashMap<_, _> =
                spec.calendars.iter().map(|(name, calendar)| (name, calendar.digest())).collect();
            for (flow, place, schedule) in schedules(spec) {
                let calendar = schedule.calendar.as_ref();
                let pattern = Pattern {
                    fires: schedule.fires.clone(),
                    timezone: schedule.timezone.clone(),
                    calendar: calendar.and_then(|name| calendars.get(name).copied()),
                };
                let Some(table) = self.table(pattern, spec, schedule, &mut known) else {
                    tracing::error!(workspace = %name, %flow, "a live schedule cannot be read");
                    continue;
                };
                let (workspace, flow) = (name.clone(), flow.clone());
                let key = ScheduleKey { workspace, flow, schedule: schedule.id() };
                let state = stored.remove(&key);
                let last = state.as_ref().map_or(now, |state| state.last_slot);
                self.add(Entry {
                    key,
                    spec: Arc::clone(spec),
                    place,
                    table,
                    fired: last,
                    settled: last,
                    next: None,
                    paused_at: state.and_then(|state| state.paused_at),
                    workspace_paused_at,
                });
            }
        }
        self.of = Some(live);
    }

    /// One table for each pattern. Those that nobody has any more are dropped with `known`.
    fn table(
        &mut self,
        pattern: Pattern,
        spec: &Workspace,
        schedule: &Schedule,
        known: &mut HashMap<Pattern, Arc<Timetable>>,
    ) -> Option<Arc<Timetable>> {
        if let Some(table) = self.patterns.get(&pattern) {
            return Some(Arc::clone(table));
        }
        let table = match known.remove(&pattern) {
            Some(table) => table,
            None => Arc::new(schedule.timetable(spec.calendar_of(schedule)).ok()?),
        };
        self.patterns.insert(pattern, Arc::clone(&table));
        Some(table)
    }

    fn add(&mut self, mut entry: Entry) {
        entry.next = entry.after(entry.settled);
        let index = self.entries.len();
        if let (Some((fires_at, _)), false) = (entry.next, entry.is_paused()) {
            self.due.insert((fires_at, index));
        }
        self.entries.push(entry);
    }

    /// When something fires next.
    pub(crate) fn next(&self) -> Option<Timestamp> {
        self.due.first().map(|(fires_at, _)| *fires_at)
    }

    /// Takes what is due, for [`Self::settle`] or [`Self::give_back`].
    pub(crate) fn take(&mut self, now: Timestamp) -> Turn {
        let mut turn = Turn::default();
        while turn.owed.len() < TURN
            && let Some((fires_at, index)) = self.due.first().copied()
            && fires_at <= now
        {
            self.due.pop_first();
            let Some(entry) = self.entries.get(index) else { continue };
            let Some(schedule) = entry.schedule() else { continue };
            let flow = entry.flow().to_string();
            let owed = owed(schedule, &entry.table, &flow, entry.settled, now);
            turn.owed.push((index, owed));
        }
        turn
    }

    /// What a schedule owed is in the store, or passed over.
    pub(crate) fn settle(&mut self, index: usize, owed: &Owed) {
        let Some(entry) = self.entries.get_mut(index) else { return };
        entry.settled = owed.upto.max(entry.settled);
        entry.fired = owed.slots.last().copied().unwrap_or(entry.fired);
        entry.next = owed.next.map(|(slot, fires_at)| (fires_at, slot));
        if let (Some((fires_at, _)), false) = (entry.next, entry.is_paused()) {
            self.due.insert((fires_at, index));
        }
    }

    /// What a schedule owed could not be stored: it is due again.
    pub(crate) fn give_back(&mut self, index: usize) {
        let Some(entry) = self.entries.get(index) else { return };
        if let (Some((fires_at, _)), false) = (entry.next, entry.is_paused()) {
            self.due.insert((fires_at, index));
        }
    }

    /// Pauses a schedule, or lets it go on from a moment.
    pub(crate) fn set_paused(&mut self, key: &ScheduleKey, paused: bool, at: Timestamp) {
        self.pauses += 1;
        let Some(index) = self.entries.iter().position(|entry| entry.key == *key) else { return };
        let Some(entry) = self.entries.get_mut(index) else { return };
        if let Some((fires_at, _)) = entry.next {
            self.due.remove(&(fires_at, index));
        }
        if paused {
            entry.paused_at = entry.paused_at.or(Some(at));
            return;
        }
        if entry.paused_at.take().is_some() {
            entry.settled = entry.settled.max(at);
            entry.fired = entry.settled;
            entry.next = entry.after(entry.settled);
        }
        if let (Some((fires_at, _)), false) = (entry.next, entry.is_paused()) {
            self.due.insert((fires_at, index));
        }
    }

    /// The next slots over all schedules that go on, by when they fire. Only the schedules that
    /// fire first can have any of them, so the others are not looked at.
    pub(crate) fn upcoming(&self, most: usize) -> Vec<(usize, Timestamp, Timestamp)> {
        let first = |(_, index): &(Timestamp, usize)| {
            let (fires_at, slot) = self.entries.get(*index)?.next?;
            Some(Reverse((fires_at, *index, slot)))
        };
        let mut heap: BinaryHeap<_> = self.due.iter().take(most).filter_map(first).collect();
        let mut slots = Vec::new();
        while slots.len() < most
            && let Some(Reverse((fires_at, index, slot))) = heap.pop()
        {
            slots.push((index, fires_at, slot));
            let next = self.entries.get(index).and_then(|entry| entry.after(slot));
            // Slots fire in order: a shorter delay does not overtake.
            heap.extend(next.map(|(at, slot)| Reverse((at.max(fires_at), index, slot))));
        }
        slots
    }
}

/// The schedules of a workspace, each with its flow and its place in it.
fn schedules(
    spec: &Workspace,
) -> impl Iterator<Item = (&signalbox_core::FlowName, usize, &Schedule)> {
    spec.flows.iter().flat_map(|(name, flow)| {
        flow.schedules.iter().enumerate().map(move |(place, schedule)| (name, place, schedule))
    })
}

//! Fires schedules: each slot once, on time.
//!
//! A slot that is late by at most a minute fires, however many there are. Of older ones, missed
//! while the runner was down or the clock was elsewhere, the latest within an hour fires and the
//! rest are passed over. `last_slot` moves in the transaction that accepts the run, so that a slot
//! fires once whatever dies, and a clock that is set back fires nothing again.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use signalbox_core::Value;
use signalbox_core::clock::Timestamp;
use signalbox_core::ids::FlowRef;
use signalbox_core::run::Trigger;
use signalbox_core::schedule::{Schedule, Timetable};
use signalbox_store::contract::{ScheduleKey, Slot};

use crate::alarm::Alarm;
use crate::live::Live;
use crate::options::Error;
use crate::shared::Shared;

/// Slots that are late by at most this all fire.
const LATE: Duration = Duration::from_mins(1);
/// Of older slots the latest fires when it is not older than this.
const MISSED: Duration = Duration::from_hours(1);
/// Most slots of one schedule that one turn fires: an every-second schedule after a minute.
const BURST: usize = 61;
/// After a failure of the store, so long before the next try.
const AGAIN: Duration = Duration::from_secs(1);

/// Runs until the engine stops.
pub(crate) async fn run(shared: Arc<Shared>) {
    let mut alarm = match Alarm::new(Arc::clone(&shared.clock)) {
        Ok(alarm) => alarm,
        Err(error) => return tracing::error!(%error, "cannot watch the time: no schedule fires"),
    };
    let mut timer = Timer::default();
    loop {
        let live = shared.live.load_full();
        if timer.of.as_ref().is_none_or(|of| !Arc::ptr_eq(of, &live))
            && let Err(error) = timer.adopt(&shared, live).await
        {
            tracing::error!(%error, "cannot read the slots of schedules");
            tokio::select! {
                () = tokio::time::sleep(AGAIN) => continue,
                () = shared.stopping() => return,
            }
        }
        if let Err(error) = timer.fire(&shared).await {
            tracing::error!(%error, "cannot fire schedules; trying again");
            tokio::select! {
                () = tokio::time::sleep(AGAIN) => continue,
                () = shared.stopping() => return,
            }
        }
        tokio::select! {
            () = alarm.until(timer.next()) => {}
            () = shared.swapped.notified() => {}
            () = shared.stopping() => return,
        }
    }
}

/// The schedules of what is live, by their next slot.
#[derive(Debug, Default)]
struct Timer {
    of: Option<Arc<Live>>,
    entries: HashMap<ScheduleKey, Entry>,
    due: BinaryHeap<Reverse<(Timestamp, ScheduleKey)>>,
    /// Expressions that were read before: a thousand flows may share one.
    patterns: HashMap<Schedule, Arc<Timetable>>,
}

#[derive(Debug, Clone)]
struct Entry {
    table: Arc<Timetable>,
    last: Timestamp,
}

impl Timer {
    /// Takes on the schedules of a new catalog.
    async fn adopt(&mut self, shared: &Shared, live: Arc<Live>) -> Result<(), Error> {
        let stored: HashMap<_, _> = shared.store.last_slots().await?.into_iter().collect();
        let now = shared.clock.now();
        self.entries.clear();
        self.due.clear();
        let mut patterns = HashMap::new();
        for (flow, schedule) in schedules(&live) {
            let table = match self.patterns.get(schedule) {
                Some(table) => Arc::clone(table),
                None => match schedule.parse() {
                    Ok(table) => Arc::new(table),
                    // It was checked when it was synced.
                    Err(error) => {
                        tracing::error!(%flow, %error, "a live schedule cannot be read");
                        continue;
                    }
                },
            };
            patterns.insert(schedule.clone(), Arc::clone(&table));
            let key =
                ScheduleKey { workspace: flow.workspace, flow: flow.flow, schedule: schedule.id() };
            let last = stored.get(&key).copied().unwrap_or(now);
            self.due.extend(table.next_after(last).map(|next| Reverse((next, key.clone()))));
            self.entries.insert(key, Entry { table, last });
        }
        self.patterns = patterns;
        self.of = Some(live);
        Ok(())
    }

    fn next(&self) -> Option<Timestamp> {
        self.due.peek().map(|Reverse((next, _))| *next)
    }

    /// Fires everything that is due.
    async fn fire(&mut self, shared: &Shared) -> Result<(), Error> {
        let now = shared.clock.now();
        let Some(live) = self.of.clone() else { return Ok(()) };
        let mut batch = Vec::new();
        let mut moved = Vec::new();
        while let Some(Reverse((next, _))) = self.due.peek()
            && *next <= now
        {
            let Some(Reverse((_, key))) = self.due.pop() else { break };
            let Some(entry) = self.entries.get(&key) else { continue };
            let slots = owed(&entry.table, entry.last, now);
            for slot in &slots {
                match accept(shared, &live, &key, *slot) {
                    Ok(made) => batch.extend(made),
                    Err(Error::Stopping) => return Ok(()),
                    // That schedule's own affair: the others go on.
                    Err(error) => tracing::error!(?key, %error, "a slot cannot be fired"),
                }
            }
            moved.push((key, slots.last().copied().unwrap_or(now)));
        }
        if moved.is_empty() {
            return Ok(());
        }
        if let Err(error) = shared.accept_slots(batch).await {
            // They are due again at the next try; those that were accepted are stale then.
            let again = moved.into_iter().filter_map(|(key, _)| {
                let entry = self.entries.get(&key)?;
                Some(Reverse((entry.table.next_after(entry.last)?, key)))
            });
            let again: Vec<_> = again.collect();
            self.due.extend(again);
            return Err(error);
        }
        for (key, last) in moved {
            let Some(entry) = self.entries.get_mut(&key) else { continue };
            entry.last = last;
            self.due.extend(entry.table.next_after(last).map(|next| Reverse((next, key))));
        }
        Ok(())
    }
}

/// The slots after `last` that are to fire at `now`, oldest first.
fn owed(table: &Timetable, last: Timestamp, now: Timestamp) -> Vec<Timestamp> {
    let recent = last.max(now.minus(LATE));
    let mut slots = Vec::new();
    let mut from = recent;
    while let Some(slot) = table.next_after(from)
        && slot <= now
        && slots.len() < BURST
    {
        slots.push(slot);
        from = slot;
    }
    if slots.is_empty() {
        slots.extend(table.last_between(last.max(now.minus(MISSED)), now));
    }
    slots
}

fn accept(
    shared: &Shared,
    live: &Live,
    key: &ScheduleKey,
    slot: Timestamp,
) -> Result<Option<(signalbox_core::run::NewRun, Slot, u32)>, Error> {
    let Some((spec, info)) = live.find(&key.workspace) else { return Ok(None) };
    let Some(flow) = spec.flows.get(&key.flow) else { return Ok(None) };
    let trigger = Trigger::Schedule { schedule: key.schedule.clone(), slot };
    let inputs = match flow.inputs.apply(&Value::Null) {
        Ok(inputs) => inputs,
        Err(_) => Value::Map(BTreeMap::new()),
    };
    let name = FlowRef { workspace: key.workspace.clone(), flow: key.flow.clone() };
    let run = shared.new_run(name, info.deployment, trigger, &inputs)?;
    let slot = Slot { schedule: key.clone(), at: slot };
    Ok(Some((run, slot, live.grants(&key.workspace).limits.queue)))
}

fn schedules(live: &Live) -> impl Iterator<Item = (FlowRef, &Schedule)> {
    live.catalog.workspaces.values().flat_map(|spec| {
        spec.flows.iter().flat_map(|(name, flow)| {
            flow.schedules.iter().map(|schedule| {
                let flow = FlowRef { workspace: spec.name.clone(), flow: name.clone() };
                (flow, schedule)
            })
        })
    })
}

/// A schedule of a live flow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScheduleView {
    /// The flow.
    pub flow: FlowRef,
    /// The schedule's identity in it.
    pub id: String,
    /// The expression.
    pub cron: String,
    /// Its zone.
    pub timezone: String,
    /// The expression in words.
    pub description: String,
    /// The last slot that fired, or since when it counts.
    pub last: Option<Timestamp>,
    /// The next slot.
    pub next: Option<Timestamp>,
}

/// A slot that will fire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NextSlot {
    /// When.
    pub at: Timestamp,
    /// The flow.
    pub flow: FlowRef,
    /// The schedule's identity in it.
    pub schedule: String,
}

/// Every schedule of live flows.
pub(crate) async fn list(shared: &Shared) -> Result<Vec<ScheduleView>, Error> {
    let live = shared.live.load_full();
    let stored: HashMap<_, _> = shared.store.last_slots().await?.into_iter().collect();
    let now = shared.clock.now();
    let view = |(flow, schedule): (FlowRef, &Schedule)| {
        let table = schedule.parse().ok()?;
        let key = ScheduleKey {
            workspace: flow.workspace.clone(),
            flow: flow.flow.clone(),
            schedule: schedule.id(),
        };
        let last = stored.get(&key).copied();
        Some(ScheduleView {
            flow,
            id: key.schedule,
            cron: schedule.cron.clone(),
            timezone: schedule.timezone.clone(),
            description: table.describe(),
            last,
            next: table.next_after(last.map_or(now, |last| last.max(now))),
        })
    };
    Ok(schedules(&live).filter_map(view).collect())
}

/// The next slots over all schedules, soonest first.
pub(crate) fn next_slots(shared: &Shared, limit: usize) -> Vec<NextSlot> {
    let live = shared.live.load_full();
    let now = shared.clock.now();
    let tables: Vec<_> = schedules(&live)
        .filter_map(|(flow, schedule)| Some((flow, schedule.id(), schedule.parse().ok()?)))
        .collect();
    let first = |(at, (_, _, table)): (usize, &(FlowRef, String, Timetable))| {
        Some(Reverse((table.next_after(now)?, at)))
    };
    let mut heap: BinaryHeap<_> = tables.iter().enumerate().filter_map(first).collect();
    let mut slots = Vec::new();
    while slots.len() < limit
        && let Some(Reverse((at, index))) = heap.pop()
    {
        let (flow, schedule, table) = &tables[index];
        slots.push(NextSlot { at, flow: flow.clone(), schedule: schedule.clone() });
        heap.extend(table.next_after(at).map(|next| Reverse((next, index))));
    }
    slots
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(cron: &str) -> Timetable {
        Schedule { cron: cron.to_owned(), timezone: "UTC".to_owned() }.parse().unwrap()
    }

    fn at(text: &str) -> Timestamp {
        text.parse::<jiff::Timestamp>().unwrap().into()
    }

    #[test]
    fn late_slots_all_fire_and_of_missed_ones_the_latest() {
        let seconds = table("* * * * * *");
        let last = at("2026-01-01T00:00:00Z");
        assert_eq!(owed(&seconds, last, at("2026-01-01T00:00:03Z")).len(), 3);
        let nightly = table("0 3 * * *");
        let down = at("2026-01-01T02:59:00Z");
        assert_eq!(owed(&nightly, down, at("2026-01-01T03:40:00Z")), [at("2026-01-01T03:00:00Z")]);
        assert_eq!(owed(&nightly, down, at("2026-01-01T05:00:00Z")), []);
        let quarters = table("*/15 * * * *");
        assert_eq!(owed(&quarters, down, at("2026-01-02T10:50:00Z")), [at("2026-01-02T10:45:00Z")]);
    }

    #[test]
    fn a_clock_that_was_set_back_owes_nothing() {
        let seconds = table("* * * * * *");
        assert_eq!(owed(&seconds, at("2026-01-01T01:00:00Z"), at("2026-01-01T00:00:00Z")), []);
    }
}

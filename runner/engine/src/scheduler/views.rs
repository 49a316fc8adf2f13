//! Schedules and their slots as people and programs see them.

use std::time::Duration;

use signalbox_core::clock::Timestamp;
use signalbox_core::ids::FlowRef;
use signalbox_core::schedule::Schedule;

use crate::options::Error;
use crate::shared::Shared;
use crate::timer::{Entry, Timer};

/// A schedule of a live flow.
#[derive(Debug, Clone, PartialEq)]
pub struct ScheduleView {
    /// The flow.
    pub flow: FlowRef,
    /// The schedule's identity in it.
    pub id: String,
    /// The schedule.
    pub schedule: Schedule,
    /// Its slots in words.
    pub description: String,
    /// The last slot that fired, or since when it counts.
    pub last: Option<Timestamp>,
    /// The next slot; `None` as long as it is paused.
    pub next: Option<Timestamp>,
    /// Since when it is paused, itself.
    pub paused_at: Option<Timestamp>,
    /// Since when its workspace is.
    pub workspace_paused_at: Option<Timestamp>,
}

/// A slot that will fire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NextSlot {
    /// Its nominal time.
    pub at: Timestamp,
    /// How much later it fires, by the schedule's jitter.
    pub delay: Duration,
    /// The flow.
    pub flow: FlowRef,
    /// The schedule's identity in it.
    pub schedule: String,
}

/// Every schedule of live flows.
pub(crate) async fn list(shared: &Shared) -> Result<Vec<ScheduleView>, Error> {
    let live = shared.live.load_full();
    {
        let timer = shared.timer();
        if timer.is_of(&live) {
            return Ok(views(&timer));
        }
    }
    let states = shared.store.schedules().await?;
    let mut timer = Timer::default();
    timer.adopt(live, states, shared.clock.now());
    Ok(views(&timer))
}

fn views(timer: &Timer) -> Vec<ScheduleView> {
    timer.entries.iter().filter_map(view).collect()
}

fn view(entry: &Entry) -> Option<ScheduleView> {
    let goes_on = entry.paused_at.or(entry.workspace_paused_at).is_none();
    Some(ScheduleView {
        flow: entry.flow(),
        id: entry.key.schedule.clone(),
        schedule: entry.schedule()?.clone(),
        description: entry.table.describe(),
        last: Some(entry.fired),
        next: entry.next.map(|(_, slot)| slot).filter(|_| goes_on),
        paused_at: entry.paused_at,
        workspace_paused_at: entry.workspace_paused_at,
    })
}

/// The next slots over all schedules that are not paused, soonest first.
pub(crate) fn next_slots(shared: &Shared, most: usize) -> Vec<NextSlot> {
    let live = shared.live.load_full();
    {
        let timer = shared.timer();
        if timer.is_of(&live) {
            return upcoming(&timer, most);
        }
    }
    // What went live a moment ago counts from now.
    let mut timer = Timer::default();
    timer.adopt(live, Vec::new(), shared.clock.now());
    upcoming(&timer, most)
}

fn upcoming(timer: &Timer, most: usize) -> Vec<NextSlot> {
    let slot = |(index, fires_at, at): (usize, Timestamp, Timestamp)| {
        let entry = timer.entries.get(index)?;
        let schedule = entry.key.schedule.clone();
        Some(NextSlot { at, delay: fires_at.since(at), flow: entry.flow(), schedule })
    };
    timer.upcoming(most).into_iter().filter_map(slot).collect()
}

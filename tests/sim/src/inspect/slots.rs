//! The slots of schedules.

use std::collections::BTreeMap;

use anyhow::{Result, bail, ensure};
use signalbox_core::clock::Timestamp;
use signalbox_core::run::Trigger;
use signalbox_store::contract::RunView;

use super::seen::{Seen, flow_of, line};
use crate::catalogue::{self, Flow, Missed};
use crate::model::Known;

/// A slot that is late by at most so many seconds fires, whatever is said of missed ones.
const LATE: i64 = 60;

/// The slot of a run, in seconds.
pub(super) fn slot_of(run: &RunView) -> Option<i64> {
    match &run.summary.trigger {
        Trigger::Schedule { slot, .. } => Some(slot.0.div_euclid(1_000_000)),
        _ => None,
    }
}

/// Every slot of every schedule fired once, if it was owed, in time, and nothing else did.
pub(super) fn fired_once(seen: &Seen, known: &Known) -> Result<()> {
    catalogue::flows().try_for_each(|flow| fired_once_of(flow, seen, known))
}

fn fired_once_of(flow: &Flow, seen: &Seen, known: &Known) -> Result<()> {
    let Some(slots) = flow.slots else { return Ok(()) };
    let name = flow.full_name();
    let mut fired = BTreeMap::new();
    for run in seen.runs.values() {
        let Some(slot) = slot_of(run) else { continue };
        if flow_of(run).is_none_or(|of| of.full_name() != name) {
            continue;
        }
        let is_one = slots.moments.between(slot - 1, slot).next() == Some(slot);
        ensure!(is_one, "{slot} s is no slot: {}", line(run));
        let late = run.summary.queued_at.0.div_euclid(1_000_000) - slot;
        let window = match slots.missed {
            Missed::None => 0,
            Missed::Latest { window } | Missed::All { window, .. } => window,
        };
        let most = window.max(LATE) + slots.jitter;
        ensure!((0..=most).contains(&late), "the slot {slot} s fired {late} s late: {}", line(run));
        if let Some(other) = fired.insert(Timestamp(slot * 1_000_000), &run.summary.id) {
            bail!("the slot {slot} s fired twice: {other} and {}", line(run));
        }
    }
    let first = known.first_live.unwrap_or_default();
    let pauses: Vec<_> =
        known.pauses.iter().filter(|p| p.is_of(flow.workspace, flow.name)).collect();
    let owed = known.timeline.owed(&slots, &pauses);
    let lost: Vec<_> =
        owed.iter().filter(|slot| **slot > first && !fired.contains_key(slot)).collect();
    if let Some(slot) = lost.first() {
        bail!("the slot {slot} of {name} is lost, and {} others", lost.len() - 1);
    }
    Ok(())
}

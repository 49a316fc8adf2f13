//! Gives what is due to the store.

use std::sync::Arc;

use signalbox_core::Value;
use signalbox_core::clock::Timestamp;
use signalbox_core::run::Trigger;
use signalbox_store::contract::{Accept, Slot};

use super::replacing;
use crate::live::Live;
use crate::options::Error;
use crate::shared::Shared;
use crate::timer::{Entry, Turn};

/// Fires everything that is due.
///
/// # Errors
/// The store's, for schedules that are due again then; the others have fired.
pub(super) async fn due(shared: &Arc<Shared>) -> Result<(), Error> {
    loop {
        let now = shared.clock.now();
        let (turn, live) = {
            let mut timer = shared.timer();
            (timer.take(now), timer.live())
        };
        let Some(live) = live.filter(|_| !turn.owed.is_empty()) else { return Ok(()) };
        fire(shared, &live, turn).await?;
    }
}

async fn fire(shared: &Arc<Shared>, live: &Live, turn: Turn) -> Result<(), Error> {
    let batch = accepts(shared, live, &turn);
    if let Ok(()) = store(shared, batch).await {
        let mut timer = shared.timer();
        turn.owed.iter().for_each(|(index, owed)| timer.settle(*index, owed));
        return Ok(());
    }
    // One at a time, so that a single bad one keeps no other from firing.
    let mut failed = None;
    for (index, owed) in turn.owed {
        let alone = Turn { owed: vec![(index, owed)] };
        let batch = accepts(shared, live, &alone);
        let stored = store(shared, batch).await;
        let mut timer = shared.timer();
        match stored {
            Ok(()) => alone.owed.iter().for_each(|(index, owed)| timer.settle(*index, owed)),
            Err(error) => {
                timer.give_back(index);
                failed = Some(error);
            }
        }
    }
    failed.map_or(Ok(()), Err)
}

/// What is to be accepted for a turn.
fn accepts(shared: &Shared, live: &Live, turn: &Turn) -> Vec<Accept> {
    let timer = shared.timer();
    let mut batch = Vec::new();
    for (index, owed) in &turn.owed {
        let Some(entry) = timer.entries.get(*index) else { continue };
        for slot in &owed.slots {
            match accept(shared, live, entry, *slot) {
                Ok(made) => batch.extend(made),
                // That schedule's own affair: the others go on.
                Err(error) => tracing::error!(key = ?entry.key, %error, "a slot cannot be fired"),
            }
        }
    }
    batch
}

fn accept(
    shared: &Shared,
    live: &Live,
    entry: &Entry,
    at: Timestamp,
) -> Result<Option<Accept>, Error> {
    let key = &entry.key;
    let Some((spec, info)) = live.find(&key.workspace) else { return Ok(None) };
    let (Some(flow), Some(schedule)) = (spec.flows.get(&key.flow), entry.schedule()) else {
        return Ok(None);
    };
    let trigger = Trigger::Schedule { schedule: key.schedule.clone(), slot: at };
    let given = Value::Map(schedule.inputs.clone());
    // They were checked when they were synced.
    let inputs = flow.inputs.apply(&given).unwrap_or(given);
    let run = shared.new_run(entry.flow(), info.deployment, trigger, &inputs)?;
    let slot = Slot { schedule: key.clone(), at, overlap: schedule.overlap };
    let queue_bound = live.grants(&key.workspace).limits.queue;
    Ok(Some(Accept { run, slot: Some(slot), idempotency: None, queue_bound }))
}

/// Stores slots. Where an earlier run is to be cancelled first, that goes on by itself; later slots
/// of that schedule wait for their turn.
async fn store(shared: &Arc<Shared>, batch: Vec<Accept>) -> Result<(), Error> {
    let batch = shared.timer().replacing.behind(batch);
    if batch.is_empty() {
        return Ok(());
    }
    for (accept, run) in shared.accept_slots(batch).await? {
        let begun = shared.timer().replacing.begin(accept);
        if let Some(schedule) = begun {
            tokio::spawn(replacing::replace(Arc::clone(shared), schedule, run));
        }
    }
    Ok(())
}

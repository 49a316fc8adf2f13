//! Accepting runs.

use std::time::Duration;

use rusqlite::{OptionalExtension as _, params};
use signalbox_core::RunId;
use signalbox_core::run::{NewRun, Reason, State};

use super::columns::{id_bytes, run_id};
use super::live::Queued;
use super::tx::Tx;
use crate::contract::{Accept, Accepted, Error, IdempotencyKey, Slot};

/// How long an idempotency key is known.
pub(super) const KEY_LIFE: Duration = Duration::from_hours(7 * 24);

/// Accepts each run, or says why not.
pub(super) fn accept(tx: &mut Tx<'_>, batch: Vec<Accept>) -> Result<Vec<Accepted>, Error> {
    batch.into_iter().map(|accept| one(tx, accept)).collect()
}

fn one(tx: &mut Tx<'_>, accept: Accept) -> Result<Accepted, Error> {
    let Accept { run, slot, idempotency, queue_bound } = accept;
    if let Some(key) = &idempotency
        && let Some((inputs, known)) = find_key(tx, &run, key)?
    {
        let same = inputs == key.inputs.0;
        return Ok(if same { Accepted::Known(known) } else { Accepted::Conflict(known) });
    }
    if let Some(slot) = &slot
        && !take_slot(tx, slot)?
    {
        return Ok(Accepted::Stale);
    }
    if tx.waiting_in(&run.workspace) >= queue_bound as usize {
        if slot.is_some() {
            skip(tx, &run)?;
        }
        return Ok(Accepted::Full);
    }
    let seq = tx.insert_run(&run, State::Queued)?;
    if let Some(key) = &idempotency {
        remember_key(tx, &run, key)?;
    }
    let queued = Queued { seq, id: run.id.clone() };
    tx.enqueue(run.workspace.clone(), queued, Some(Box::new(run)));
    Ok(Accepted::Queued)
}

/// What the key was used with, for which run, unless that is too long ago.
fn find_key(
    tx: &mut Tx<'_>,
    run: &NewRun,
    key: &IdempotencyKey,
) -> Result<Option<([u8; 32], RunId)>, Error> {
    let (_, flow) = tx.flow(&run.workspace, &run.flow)?;
    let oldest = run.queued_at.minus(KEY_LIFE);
    let found: Option<([u8; 32], [u8; 16])> = tx
        .connection
        .prepare_cached(
            "SELECT inputs, run FROM idempotency WHERE flow = ? AND key = ? AND at > ?",
        )?
        .query_row(params![flow, key.key, oldest.0], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    found.map(|(inputs, known)| Ok((inputs, run_id(known)?))).transpose()
}

fn remember_key(tx: &mut Tx<'_>, run: &NewRun, key: &IdempotencyKey) -> Result<(), Error> {
    let (_, flow) = tx.flow(&run.workspace, &run.flow)?;
    tx.connection
        .prepare_cached("INSERT OR REPLACE INTO idempotency VALUES (?, ?, ?, ?, ?)")?
        .execute(params![flow, key.key, key.inputs.0, id_bytes(&run.id)?, run.queued_at.0])?;
    Ok(())
}

/// Moves the schedule to the slot. Answers whether the slot is later than its last one.
fn take_slot(tx: &mut Tx<'_>, slot: &Slot) -> Result<bool, Error> {
    let (workspace, flow) = tx.flow(&slot.schedule.workspace, &slot.schedule.flow)?;
    let moved = tx
        .connection
        .prepare_cached(
            "INSERT INTO schedules (flow, schedule, workspace, last_slot) VALUES (?, ?, ?, ?)
             ON CONFLICT DO UPDATE SET last_slot = excluded.last_slot
                WHERE excluded.last_slot > last_slot",
        )?
        .execute(params![flow, slot.schedule.schedule, workspace, slot.at.0])?;
    Ok(moved == 1)
}

/// Records a slot that found the queue full.
fn skip(tx: &mut Tx<'_>, run: &NewRun) -> Result<(), Error> {
    let seq = tx.insert_run(run, State::Skipped)?;
    tx.connection
        .prepare_cached("UPDATE runs SET reason = ?, ended_at = queued_at WHERE seq = ?")?
        .execute(params![Reason::LimitExceeded.as_str(), seq])?;
    Ok(())
}

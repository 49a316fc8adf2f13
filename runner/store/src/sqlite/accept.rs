//! Accepting runs.

use std::time::Duration;

use rusqlite::{OptionalExtension as _, params};
use signalbox_core::RunId;
use signalbox_core::clock::Timestamp;
use signalbox_core::journal::Chunk;
use signalbox_core::run::{NewRun, Reason, State, Trigger};

use super::columns::{id_bytes, run_id, state_number};
use super::schedules::{self, Turn};
use super::turns::{self, Placed};
use super::tx::Tx;
use crate::contract::{Accept, Accepted, Error, IdempotencyKey};

/// How long an idempotency key is known.
pub(super) const KEY_LIFE: Duration = Duration::from_hours(7 * 24);

/// Accepts each run, or says why not.
pub(super) fn accept(tx: &mut Tx<'_>, batch: Vec<Accept>) -> Result<Vec<Accepted>, Error> {
    batch.into_iter().map(|accept| one(tx, accept, None)).collect()
}

/// Accepts a run that begins with a record.
pub(super) fn accept_with(
    tx: &mut Tx<'_>,
    accept: Accept,
    record: &Chunk,
) -> Result<Accepted, Error> {
    one(tx, accept, Some(record).filter(|record| !record.is_empty()))
}

fn one(tx: &mut Tx<'_>, accept: Accept, record: Option<&Chunk>) -> Result<Accepted, Error> {
    let Accept { run, slot, idempotency, queue_bound } = accept;
    if let Some(key) = &idempotency
        && let Some((inputs, known)) = find_key(tx, &run, key)?
    {
        let same = inputs == key.inputs.0;
        return Ok(if same { Accepted::Known(known) } else { Accepted::Conflict(known) });
    }
    let full = tx.waiting_in(&run.workspace) >= queue_bound as usize;
    if let Some(slot) = &slot {
        match schedules::take_slot(tx, slot, queue_bound)? {
            Err(refused) => return Ok(refused),
            Ok(Turn::Skipped) => {
                skip(tx, &run, Reason::Overlap)?;
                return Ok(Accepted::Skipped);
            }
            Ok(Turn::Full) => {
                skip(tx, &run, Reason::LimitExceeded)?;
                return Ok(Accepted::Full);
            }
            Ok(Turn::Now | Turn::Behind) if full => skip(tx, &run, Reason::LimitExceeded)?,
            Ok(Turn::Behind) => {
                schedules::hold(tx, slot, &run)?;
                return Ok(Accepted::Queued);
            }
            Ok(Turn::Now) => {}
        }
    }
    if full {
        return Ok(Accepted::Full);
    }
    if let Some(key) = &idempotency {
        remember_key(tx, &run, key)?;
    }
    let again = if let Trigger::Retry { of, .. } = &run.trigger { Some(of.clone()) } else { None };
    let queued_at = run.queued_at;
    Ok(match turns::place(tx, run, record)? {
        Placed::Queued(seq) => {
            // One that was skipped has started nothing: its failure waits for somebody still.
            if let Some(of) = again {
                dismiss(tx, &of, queued_at)?;
            }
            if let Some(slot) = &slot {
                schedules::remember(tx, slot, seq)?;
            }
            Accepted::Queued
        }
        Placed::Skipped(_) => Accepted::Skipped,
    })
}

/// Notes that somebody dealt with a failed run. Answers whether nobody had.
pub(super) fn dismiss(tx: &Tx<'_>, run: &RunId, at: Timestamp) -> Result<bool, Error> {
    let failed = state_number(State::Failed);
    let changed = tx
        .connection
        .prepare_cached(&format!(
            "UPDATE runs SET dealt_at = ? WHERE id = ? AND state = {failed} AND dealt_at IS NULL"
        ))?
        .execute(params![at.0, id_bytes(run)?])?;
    Ok(changed == 1)
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

/// Records a slot whose run is never evaluated.
fn skip(tx: &mut Tx<'_>, run: &NewRun, why: Reason) -> Result<(), Error> {
    let seq = tx.insert_run(run, State::Skipped)?;
    tx.connection
        .prepare_cached("UPDATE runs SET reason = ?, ended_at = queued_at WHERE seq = ?")?
        .execute(params![why.as_str(), seq])?;
    Ok(())
}

//! What nobody's claim is needed for: answers to waiting calls, and the end of unclaimed runs.

use rusqlite::{OptionalExtension as _, params};
use signalbox_core::RunId;
use signalbox_core::clock::Timestamp;
use signalbox_core::journal::{Key, Outcome};
use signalbox_core::run::{Event, Reason, State, apply};

use super::columns::{self, id_bytes, run_id, state_number};
use super::live::Queued;
use super::names;
use super::schedules;
use super::tx::Tx;
use crate::contract::{Answer, Error, Written};

/// What is needed to know of a run before it changes without a claim.
pub(super) struct Found {
    pub(super) seq: i64,
    pub(super) workspace: i64,
    pub(super) state: State,
    waits_for: Option<Key>,
}

/// Looks a run up by its id.
pub(super) fn find(tx: &Tx<'_>, run: &RunId) -> Result<Option<Found>, Error> {
    let found: Option<(i64, i64, i64, Option<Key>)> = tx
        .connection
        .prepare_cached(
            "SELECT seq, workspace, state, waits_scope, waits_attempt, waits_ordinal
             FROM runs WHERE id = ?",
        )?
        .query_row([id_bytes(run)?], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, columns::key(row, 3)?))
        })
        .optional()?;
    found
        .map(|(seq, workspace, state, waits_for)| {
            Ok(Found { seq, workspace, state: columns::state(state)?, waits_for })
        })
        .transpose()
}

/// [`crate::contract::Write::Cancel`].
pub(super) fn cancel(
    tx: &mut Tx<'_>,
    run: &RunId,
    at: Timestamp,
    answer: Outcome,
) -> Result<Written, Error> {
    let Some(found) = find(tx, run)? else { return Ok(Written::Rejected) };
    let Ok(state) = apply(found.state, Event::Cancel) else { return Ok(Written::Rejected) };
    let workspace = names::workspace_name(tx.connection, found.workspace)?;
    if !tx.withhold(&workspace, run, found.seq) {
        return Ok(Written::Claimed);
    }
    tx.connection
        .prepare_cached("UPDATE runs SET state = ?, reason = ?, ended_at = ? WHERE seq = ?")?
        .execute(params![state_number(state), Reason::CancelRequested.as_str(), at.0, found.seq])?;
    tx.count(found.workspace, Some(found.state), Some(state));
    let answered = settle(tx, run, state, at, answer)?;
    schedules::ended(tx, found.seq)?;
    Ok(answered.map_or(Written::Done(None), Written::Answered))
}

/// [`crate::contract::Write::Answer`].
pub(super) fn answer(
    tx: &mut Tx<'_>,
    run: RunId,
    key: Key,
    outcome: Outcome,
    at: Timestamp,
) -> Result<Written, Error> {
    match find(tx, &run)? {
        Some(found) if !found.state.is_terminal() => {
            let answered = give(tx, &found, run, key, outcome, at)?;
            Ok(answered.map_or(Written::Done(None), Written::Answered))
        }
        _ => Ok(Written::Rejected),
    }
}

/// Records the end of a called run, and answers and wakes its caller if that waits for it.
pub(super) fn settle(
    tx: &mut Tx<'_>,
    run: &RunId,
    state: State,
    at: Timestamp,
    outcome: Outcome,
) -> Result<Option<Answer>, Error> {
    let call: Option<([u8; 16], bool, Option<Key>)> = tx
        .connection
        .prepare_cached(
            "UPDATE calls SET state = ?, ended_at = ? WHERE run = ?
             RETURNING caller_run, waits, scope, attempt, ordinal",
        )?
        .query_row(params![state_number(state), at.0, id_bytes(run)?], |row| {
            Ok((row.get(0)?, row.get(1)?, columns::key(row, 2)?))
        })
        .optional()?;
    let Some((caller, true, Some(key))) = call else { return Ok(None) };
    let caller = run_id(caller)?;
    match find(tx, &caller)? {
        Some(found) if !found.state.is_terminal() => give(tx, &found, caller, key, outcome, at),
        _ => Ok(None),
    }
}

/// Whether a call has its answer.
pub(super) fn is_answered(tx: &Tx<'_>, seq: i64, key: &Key) -> Result<bool, Error> {
    Ok(tx
        .connection
        .prepare_cached(
            "SELECT 1 FROM answers WHERE run = ? AND scope = ? AND attempt = ? AND ordinal = ?",
        )?
        .exists(params![seq, key.scope, key.attempt, key.ordinal])?)
}

/// Gives a run the answer of its call, unless it has one, and wakes it if that is what it waits
/// for.
fn give(
    tx: &mut Tx<'_>,
    caller: &Found,
    run: RunId,
    key: Key,
    outcome: Outcome,
    at: Timestamp,
) -> Result<Option<Answer>, Error> {
    let added = tx
        .connection
        .prepare_cached("INSERT OR IGNORE INTO answers VALUES (?, ?, ?, ?, ?, ?)")?
        .execute(params![
            caller.seq,
            key.scope,
            key.attempt,
            key.ordinal,
            postcard::to_stdvec(&outcome)?,
            at.0
        ])?;
    if added == 0 {
        return Ok(None);
    }
    let waits = caller.waits_for.as_ref() == Some(&key);
    let woken = match apply(caller.state, Event::Wake) {
        Ok(state) if waits => {
            wake(tx, caller, &run, state)?;
            true
        }
        Ok(_) | Err(_) => false,
    };
    Ok(Some(Answer { run, key, outcome, woken }))
}

fn wake(tx: &mut Tx<'_>, caller: &Found, run: &RunId, state: State) -> Result<(), Error> {
    tx.connection
        .prepare_cached(
            "UPDATE runs SET state = ?, reason = NULL, waits_scope = NULL, waits_attempt = NULL,
                             waits_ordinal = NULL, waits_until = NULL
             WHERE seq = ?",
        )?
        .execute(params![state_number(state), caller.seq])?;
    tx.count(caller.workspace, Some(caller.state), Some(state));
    let workspace = names::workspace_name(tx.connection, caller.workspace)?;
    tx.enqueue(workspace, Queued { seq: caller.seq, id: run.clone() }, None);
    Ok(())
}

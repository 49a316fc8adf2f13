//! How a claim ends: with the run's end, a wait, a release, or a call for a person.

use rusqlite::params;
use signalbox_core::RunId;
use signalbox_core::clock::Timestamp;
use signalbox_core::codes::Code;
use signalbox_core::journal::{Chunk, Key, Outcome};
use signalbox_core::run::{Ending, Event, Reason, RunError, State, apply};

use super::append::{fence, insert_chunk, row_state};
use super::columns::{state_number, to_json};
use super::live::{Claimed, Queued};
use super::schedules;
use super::settle;
use super::tx::Tx;
use crate::contract::{Error, Written};

/// [`crate::contract::Write::End`].
pub(super) struct End {
    pub(super) run: RunId,
    pub(super) epoch: u64,
    pub(super) number: u32,
    pub(super) started_at: Timestamp,
    pub(super) chunk: Chunk,
    pub(super) ending: Ending,
    pub(super) ended_at: Timestamp,
    pub(super) isolation: u8,
    pub(super) answer: Outcome,
}

fn event(ending: &Ending) -> Event {
    match ending {
        Ending::Succeeded(_) => Event::Succeed,
        Ending::Failed(..) => Event::Fail,
        Ending::Cancelled => Event::Cancel,
        Ending::Skipped(_) => Event::Skip,
    }
}

/// Ends a run.
pub(super) fn end(tx: &mut Tx<'_>, end: End) -> Result<Written, Error> {
    let claimed = match fence(tx, &end.run, end.epoch)? {
        Ok(claimed) if claimed.next_chunk == end.number => claimed,
        Ok(_) => return Ok(Written::Fenced),
        Err(answer) => return Ok(answer),
    };
    let Ok(state) = apply(State::Running, event(&end.ending)) else {
        return Ok(Written::Rejected);
    };
    if !end.chunk.is_empty() {
        insert_chunk(tx, claimed.seq, end.number, &end.chunk)?;
    }
    write_ending(tx, claimed.seq, state, &end)?;
    let workspace = tx.workspace(&claimed.workspace)?;
    tx.count(workspace, Some(row_state(&claimed)), Some(state));
    let answered = if claimed.called {
        settle::settle(tx, &end.run, state, end.ended_at, end.answer)?
    } else {
        None
    };
    tx.set_claim(end.run, None);
    schedules::ended(tx, claimed.seq)?;
    Ok(answered.map_or(Written::Done(None), Written::Answered))
}

fn write_ending(tx: &Tx<'_>, seq: i64, state: State, end: &End) -> Result<(), Error> {
    let (result, error) = match &end.ending {
        Ending::Succeeded(result) => (Some(result), None),
        Ending::Failed(_, error) => (None, Some(to_json(error)?)),
        Ending::Cancelled | Ending::Skipped(_) => (None, None),
    };
    tx.connection
        .prepare_cached(
            "UPDATE runs SET state = ?, reason = ?, error = ?, result = ?, isolation = ?,
                             started_at = coalesce(started_at, ?), ended_at = ?
             WHERE seq = ?",
        )?
        .execute(params![
            state_number(state),
            end.ending.reason().map(Reason::as_str),
            error,
            result,
            end.isolation,
            end.started_at.0,
            end.ended_at.0,
            seq,
        ])?;
    Ok(())
}

/// [`crate::contract::Write::Suspend`].
pub(super) struct Suspend {
    pub(super) run: RunId,
    pub(super) epoch: u64,
    pub(super) waits_for: Key,
    pub(super) until: Option<Timestamp>,
    pub(super) active_us: i64,
}

/// Lets a run wait, unless what it waits for is there.
pub(super) fn suspend(tx: &mut Tx<'_>, suspend: Suspend) -> Result<Written, Error> {
    let claimed = match fence(tx, &suspend.run, suspend.epoch)? {
        Ok(claimed) => claimed,
        Err(answer) => return Ok(answer),
    };
    if settle::is_answered(tx, claimed.seq, &suspend.waits_for)? {
        requeue(tx, suspend.run, &claimed, 0, suspend.active_us)?;
        return Ok(Written::Woken);
    }
    let key = &suspend.waits_for;
    tx.connection
        .prepare_cached(
            "UPDATE runs SET state = 2, reason = ?, active_us = ?, waits_scope = ?,
                             waits_attempt = ?, waits_ordinal = ?, waits_until = ?
             WHERE seq = ?",
        )?
        .execute(params![
            Reason::WaitingCall.as_str(),
            suspend.active_us,
            key.scope,
            key.attempt,
            key.ordinal,
            suspend.until.map(|until| until.0),
            claimed.seq,
        ])?;
    leave(tx, suspend.run, &claimed, State::Suspended)?;
    Ok(Written::Done(None))
}

/// [`crate::contract::Write::Release`]: back to the queue, first in line.
pub(super) fn release(
    tx: &mut Tx<'_>,
    run: RunId,
    epoch: u64,
    lost_cells: u32,
    active_us: i64,
) -> Result<Written, Error> {
    match fence(tx, &run, epoch)? {
        Ok(claimed) => {
            requeue(tx, run, &claimed, lost_cells, active_us)?;
            Ok(Written::Done(None))
        }
        Err(answer) => Ok(answer),
    }
}

fn requeue(
    tx: &mut Tx<'_>,
    run: RunId,
    claimed: &Claimed,
    lost_cells: u32,
    active_us: i64,
) -> Result<(), Error> {
    tx.connection
        .prepare_cached(
            "UPDATE runs SET state = 0, lost_cells = lost_cells + ?, active_us = ? WHERE seq = ?",
        )?
        .execute(params![lost_cells, active_us, claimed.seq])?;
    let queued = Queued { seq: claimed.seq, id: run.clone() };
    leave(tx, run, claimed, State::Queued)?;
    tx.enqueue(claimed.workspace.clone(), queued, None);
    Ok(())
}

/// [`crate::contract::Write::Park`].
pub(super) fn park(
    tx: &mut Tx<'_>,
    run: RunId,
    epoch: u64,
    message: String,
    reason: Reason,
) -> Result<Written, Error> {
    let claimed = match fence(tx, &run, epoch)? {
        Ok(claimed) => claimed,
        Err(answer) => return Ok(answer),
    };
    let error = to_json(&RunError::plain(Code::Incompatible, message))?;
    tx.connection
        .prepare_cached("UPDATE runs SET state = 2, reason = ?, error = ? WHERE seq = ?")?
        .execute(params![reason.as_str(), error, claimed.seq])?;
    leave(tx, run, &claimed, State::Suspended)?;
    Ok(Written::Done(None))
}

/// Ends the claim of a run that goes on later.
fn leave(tx: &mut Tx<'_>, run: RunId, claimed: &Claimed, to: State) -> Result<(), Error> {
    let workspace = tx.workspace(&claimed.workspace)?;
    tx.count(workspace, Some(row_state(claimed)), Some(to));
    tx.set_claim(run, None);
    Ok(())
}

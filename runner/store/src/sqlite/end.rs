//! How a claim ends: with the run's end, a successor, a wait, a release, or a call for a person.

use rusqlite::params;
use signalbox_core::clock::Timestamp;
use signalbox_core::codes::Code;
use signalbox_core::journal::{Chunk, Key, Outcome};
use signalbox_core::run::{Ending, Event, NewRun, Reason, RunError, State, apply};
use signalbox_core::value::encode;
use signalbox_core::{RunId, Value};

use super::aftermath;
use super::append::{fence, insert_chunk, row_state};
use super::columns::{id_bytes, state_number, to_json};
use super::line::Queued;
use super::live::{Claimed, Entrance};
use super::tx::{Recorded, Tx};
use super::waits::{self, For};
use super::{schedules, settle, turns};
use crate::contract::{Aftermath, Error, Written};

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
pub(super) fn end(
    tx: &mut Tx<'_>,
    end: &End,
    aftermath: Option<Aftermath>,
) -> Result<Written, Error> {
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
    write_ending(tx, &claimed, state, end)?;
    leave(tx, &end.run, &claimed, state)?;
    if claimed.waited {
        waits::forget(tx, claimed.seq)?;
    }
    if claimed.keyed {
        turns::ended(tx, claimed.seq)?;
    }
    let answered = if claimed.called {
        settle::settle(tx, &end.run, claimed.seq, state, end.ended_at, &end.answer)?
    } else {
        Vec::new()
    };
    if let Some(started) = aftermath {
        aftermath::perform(tx, claimed.seq, end.ended_at, started)?;
    }
    schedules::ended(tx, claimed.seq)?;
    Ok(settle::written(answered))
}

fn write_ending(tx: &Tx<'_>, claimed: &Claimed, state: State, end: &End) -> Result<(), Error> {
    let reason = match end.ending {
        Ending::Cancelled if claimed.keyed => Some(turns::reason_to_cancel(tx, claimed.seq)?),
        Ending::Cancelled | Ending::Succeeded(_) | Ending::Failed(..) | Ending::Skipped(_) => {
            end.ending.reason()
        }
    };
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
            reason.map(Reason::as_str),
            error,
            result,
            end.isolation,
            end.started_at.0,
            end.ended_at.0,
            claimed.seq,
        ])?;
    Ok(())
}

/// [`crate::contract::Write::Suspend`].
pub(super) struct Suspend {
    pub(super) run: RunId,
    pub(super) epoch: u64,
    pub(super) waits_for: Vec<Key>,
    pub(super) active_us: i64,
}

/// Lets a run wait, unless something of what it waits for is there.
pub(super) fn suspend(tx: &mut Tx<'_>, suspend: &Suspend) -> Result<Written, Error> {
    let claimed = match fence(tx, &suspend.run, suspend.epoch)? {
        Ok(claimed) => claimed,
        Err(answer) => return Ok(answer),
    };
    let mut answered = false;
    for key in &suspend.waits_for {
        answered |= settle::is_answered(tx, claimed.seq, key)?;
    }
    let (reason, until) = match waits::reason(tx, claimed.seq)? {
        Some(waits) if !answered => waits,
        // Nothing would ever wake it.
        Some(_) | None => {
            requeue(tx, &suspend.run, &claimed, 0, suspend.active_us)?;
            return Ok(Written::Woken);
        }
    };
    pause(tx, &claimed, reason, suspend.active_us)?;
    leave(tx, &suspend.run, &claimed, State::Suspended)?;
    Ok(Written::Suspended { reason, until })
}

/// Marks a run as suspended. It came so far: starts that found it being evaluated count anew.
fn pause(tx: &Tx<'_>, claimed: &Claimed, reason: Reason, active_us: i64) -> Result<(), Error> {
    tx.connection
        .prepare_cached(
            "UPDATE runs SET state = 2, reason = ?, active_us = ?, recovered = 0 WHERE seq = ?",
        )?
        .execute(params![reason.as_str(), active_us, claimed.seq])?;
    Ok(())
}

/// [`crate::contract::Write::Retry`].
pub(super) struct Retry {
    pub(super) run: RunId,
    pub(super) epoch: u64,
    pub(super) number: u32,
    pub(super) started_at: Timestamp,
    pub(super) chunk: Chunk,
    pub(super) until: Timestamp,
    pub(super) error: RunError,
    pub(super) active_us: i64,
}

/// Lets a run that failed wait for its next attempt.
pub(super) fn retry(tx: &mut Tx<'_>, retry: &Retry) -> Result<Written, Error> {
    let claimed = match fence(tx, &retry.run, retry.epoch)? {
        Ok(claimed) if claimed.next_chunk == retry.number => claimed,
        Ok(_) => return Ok(Written::Fenced),
        Err(answer) => return Ok(answer),
    };
    if !retry.chunk.is_empty() {
        insert_chunk(tx, claimed.seq, retry.number, &retry.chunk)?;
    }
    let attempt = tx
        .connection
        .prepare_cached(
            "UPDATE runs SET error = ?, started_at = coalesce(started_at, ?) WHERE seq = ?
             RETURNING attempt",
        )?
        .query_row(params![to_json(&retry.error)?, retry.started_at.0, claimed.seq], |row| {
            row.get(0)
        })?;
    waits::forget(tx, claimed.seq)?;
    waits::add(tx, claimed.seq, &waits::retry_key(attempt), For::Retry(retry.until))?;
    let reason = Reason::WaitingRetry;
    pause(tx, &claimed, reason, retry.active_us)?;
    leave(tx, &retry.run, &claimed, State::Suspended)?;
    Ok(Written::Suspended { reason, until: Some(retry.until) })
}

/// [`crate::contract::Write::Continue`].
pub(super) struct Continue {
    pub(super) run: RunId,
    pub(super) epoch: u64,
    pub(super) number: u32,
    pub(super) started_at: Timestamp,
    pub(super) chunk: Chunk,
    pub(super) ended_at: Timestamp,
    pub(super) isolation: u8,
    pub(super) successor: Box<NewRun>,
}

/// Ends a run and queues the one that takes over.
pub(super) fn succeed_by(tx: &mut Tx<'_>, with: Continue) -> Result<Written, Error> {
    let Continue { run, epoch, number, started_at, chunk, ended_at, isolation, successor } = with;
    let claimed = match fence(tx, &run, epoch)? {
        Ok(claimed) if claimed.next_chunk == number => claimed,
        Ok(_) => return Ok(Written::Fenced),
        Err(answer) => return Ok(answer),
    };
    if !chunk.is_empty() {
        insert_chunk(tx, claimed.seq, number, &chunk)?;
    }
    let seq = tx.insert_run(&successor, State::Queued)?;
    let id = id_bytes(&successor.id)?;
    tx.connection
        .prepare_cached(
            "UPDATE runs SET state = 3, reason = NULL, error = NULL, result = ?, successor = ?,
                             isolation = ?, started_at = coalesce(started_at, ?), ended_at = ?
             WHERE seq = ?",
        )?
        .execute(params![
            encode(&Value::from(successor.id.as_str())),
            id,
            isolation,
            started_at.0,
            ended_at.0,
            claimed.seq
        ])?;
    leave(tx, &run, &claimed, State::Succeeded)?;
    if claimed.keyed {
        turns::yield_on(tx, claimed.seq, (seq, &successor))?;
        turns::ended(tx, claimed.seq)?;
    }
    waits::forget(tx, claimed.seq)?;
    waits::hand_on(tx, claimed.seq, seq)?;
    // Whoever called the run called its successors: the record of the call ends with the last.
    tx.connection
        .prepare_cached("UPDATE calls SET run = ? WHERE run = ?")?
        .execute(params![id, id_bytes(&run)?])?;
    schedules::hand_on(tx, &successor, claimed.seq, seq)?;
    let queued = Queued { seq, id: successor.id.clone() };
    tx.enqueue_new(queued, *successor, None, Recorded::Nothing);
    Ok(Written::Done(None))
}

/// [`crate::contract::Write::Release`]: back to the queue, first in line.
pub(super) fn release(
    tx: &mut Tx<'_>,
    run: &RunId,
    epoch: u64,
    lost_cells: u32,
    active_us: i64,
) -> Result<Written, Error> {
    match fence(tx, run, epoch)? {
        Ok(claimed) => {
            requeue(tx, run, &claimed, lost_cells, active_us)?;
            Ok(Written::Done(None))
        }
        Err(answer) => Ok(answer),
    }
}

fn requeue(
    tx: &mut Tx<'_>,
    run: &RunId,
    claimed: &Claimed,
    lost_cells: u32,
    active_us: i64,
) -> Result<(), Error> {
    tx.connection
        .prepare_cached(
            "UPDATE runs SET state = 0, lost_cells = lost_cells + ?, active_us = ? WHERE seq = ?",
        )?
        .execute(params![lost_cells, active_us, claimed.seq])?;
    leave(tx, run, claimed, State::Queued)?;
    let queued = Queued { seq: claimed.seq, id: run.clone() };
    tx.enqueue_again(claimed.workspace.clone(), queued, Entrance::Back);
    Ok(())
}

/// [`crate::contract::Write::Park`].
pub(super) fn park(
    tx: &mut Tx<'_>,
    run: &RunId,
    epoch: u64,
    message: String,
    reason: Reason,
) -> Result<Written, Error> {
    let claimed = match fence(tx, run, epoch)? {
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

/// Ends a claim. A deadline that passed while somebody had the run is due at once.
fn leave(tx: &mut Tx<'_>, run: &RunId, claimed: &Claimed, to: State) -> Result<(), Error> {
    let workspace = tx.workspace(&claimed.workspace)?;
    tx.count(workspace, Some(row_state(claimed)), Some(to));
    tx.set_claim(run.clone(), None);
    if let Some(deadline) = claimed.deadline.filter(|_| !to.is_terminal()) {
        tx.is_due(deadline);
    }
    Ok(())
}

//! What nobody's claim is needed for: answers to waits, and the end of unclaimed runs.

use rusqlite::{OptionalExtension as _, Row, ToSql, params};
use signalbox_core::clock::Timestamp;
use signalbox_core::journal::{FORMAT, Key, Outcome};
use signalbox_core::run::{Ending, Event, Reason, RunError, State, apply};
use signalbox_core::{FlowName, RunId, WorkspaceName, answer};

use super::aftermath;
use super::columns::{self, id_bytes, run_id, state_number, to_json};
use super::line::Queued;
use super::live::Entrance;
use super::tx::Tx;
use super::{schedules, turns, waits};
use crate::contract::{Aftermath, Answer, Error, Written};

/// What is needed to know of a run before it changes without a claim.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) seq: i64,
    pub(super) run: RunId,
    pub(super) workspace: WorkspaceName,
    pub(super) flow: FlowName,
    pub(super) state: State,
    /// Its workspace's number.
    pub(super) place: i64,
    /// Whether the answer of a wait wakes it.
    waits: bool,
}

const FOUND: &str = "SELECT r.seq, r.id, w.name, f.name, r.state, r.workspace, r.reason
     FROM runs AS r CROSS JOIN workspaces AS w ON w.id = r.workspace
                    CROSS JOIN flows AS f ON f.id = r.flow";

/// Looks a run up by its id.
pub(super) fn find(tx: &Tx<'_>, run: &RunId) -> Result<Option<Found>, Error> {
    find_by(tx, &format!("{FOUND} WHERE r.id = ?"), &id_bytes(run)?)
}

/// Looks a run up by its sequence.
pub(super) fn find_seq(tx: &Tx<'_>, seq: i64) -> Result<Option<Found>, Error> {
    find_by(tx, &format!("{FOUND} WHERE r.seq = ?"), &seq)
}

fn find_by(tx: &Tx<'_>, sql: &str, by: &dyn ToSql) -> Result<Option<Found>, Error> {
    let mut statement = tx.connection.prepare_cached(sql)?;
    let mut rows = statement.query([by])?;
    rows.next()?.map(found).transpose()
}

fn found(row: &Row<'_>) -> Result<Found, Error> {
    let state = columns::state(row.get(4)?)?;
    Ok(Found {
        seq: row.get(0)?,
        run: run_id(row.get(1)?)?,
        workspace: columns::text(row.get_ref(2)?.as_str().unwrap_or_default())?,
        flow: columns::text(row.get_ref(3)?.as_str().unwrap_or_default())?,
        state,
        place: row.get(5)?,
        waits: waits::is_waiting(state, row.get_ref(6)?.as_str_or_null().unwrap_or_default()),
    })
}

/// [`crate::contract::Write::Cancel`].
pub(super) fn cancel(
    tx: &mut Tx<'_>,
    run: &RunId,
    at: Timestamp,
    answer: &Outcome,
) -> Result<Written, Error> {
    end_unclaimed(tx, run, at, (Event::Cancel, Reason::CancelRequested, None), answer)
}

/// [`crate::contract::Write::Fail`].
pub(super) fn fail(
    tx: &mut Tx<'_>,
    run: &RunId,
    at: Timestamp,
    (reason, error): (Reason, RunError),
    aftermath: Option<Aftermath>,
) -> Result<Written, Error> {
    let text = to_json(&error)?;
    let answer = answer::answer_of(&Ending::Failed(reason, error));
    let written = end_unclaimed(tx, run, at, (Event::Fail, reason, Some(text)), &answer)?;
    if let (Written::Done(_) | Written::Answered(_), Some(started)) = (&written, aftermath)
        && let Some(found) = find(tx, run)?
    {
        aftermath::perform(tx, found.seq, at, started)?;
    }
    Ok(written)
}

/// Ends a run in favour of a newer one, before it began.
pub(super) fn supersede(
    tx: &mut Tx<'_>,
    run: &RunId,
    at: Timestamp,
    answer: &Outcome,
) -> Result<Written, Error> {
    end_unclaimed(tx, run, at, (Event::Skip, Reason::Superseded, None), answer)
}

fn end_unclaimed(
    tx: &mut Tx<'_>,
    run: &RunId,
    at: Timestamp,
    (event, reason, error): (Event, Reason, Option<String>),
    answer: &Outcome,
) -> Result<Written, Error> {
    let Some(found) = find(tx, run)? else { return Ok(Written::Rejected) };
    if found.state.is_terminal() {
        return Ok(Written::Rejected);
    }
    if !tx.withhold(&found.workspace, run, found.seq) {
        return Ok(Written::Claimed);
    }
    let Ok(state) = apply(found.state, event) else { return Ok(Written::Rejected) };
    let reason = match event {
        Event::Cancel => turns::reason_to_cancel(tx, found.seq)?,
        Event::Claim
        | Event::Release
        | Event::Suspend
        | Event::Wake
        | Event::Succeed
        | Event::Fail
        | Event::Skip => reason,
    };
    tx.connection
        .prepare_cached(
            "UPDATE runs SET state = ?, reason = ?, error = coalesce(?, error), ended_at = ?
             WHERE seq = ?",
        )?
        .execute(params![state_number(state), reason.as_str(), error, at.0, found.seq])?;
    tx.count(found.place, Some(found.state), Some(state));
    waits::forget(tx, found.seq)?;
    turns::ended(tx, found.seq)?;
    let answered = settle(tx, run, found.seq, state, at, answer)?;
    schedules::ended(tx, found.seq)?;
    Ok(written(answered))
}

/// What a write that may have answered waits came to.
pub(super) fn written(answered: Vec<Answer>) -> Written {
    if answered.is_empty() { Written::Done(None) } else { Written::Answered(answered) }
}

/// Records the end of a called run, and answers and wakes everybody who waits for it.
pub(super) fn settle(
    tx: &mut Tx<'_>,
    run: &RunId,
    seq: i64,
    state: State,
    at: Timestamp,
    outcome: &Outcome,
) -> Result<Vec<Answer>, Error> {
    tx.connection
        .prepare_cached("UPDATE calls SET state = ?, ended_at = ? WHERE run = ?")?
        .execute(params![state_number(state), at.0, id_bytes(run)?])?;
    let mut answers = Vec::new();
    for (caller, key) in waits::take_callers(tx, seq)? {
        if let Some(found) = find_seq(tx, caller)? {
            answers.extend(give(tx, &found, key, outcome.clone(), at)?);
        }
    }
    Ok(answers)
}

/// Whether a wait has its answer.
pub(super) fn is_answered(tx: &Tx<'_>, seq: i64, key: &Key) -> Result<bool, Error> {
    Ok(tx
        .connection
        .prepare_cached(
            "SELECT 1 FROM answers WHERE run = ? AND scope = ? AND attempt = ? AND ordinal = ?",
        )?
        .exists(params![seq, key.scope, key.attempt, key.ordinal])?)
}

/// Gives a run the answer of a wait, unless it has one, and wakes it if all it does is wait.
pub(super) fn give(
    tx: &mut Tx<'_>,
    waiter: &Found,
    key: Key,
    outcome: Outcome,
    at: Timestamp,
) -> Result<Option<Answer>, Error> {
    waits::remove(tx, waiter.seq, &key)?;
    if waiter.state.is_terminal() {
        return Ok(None);
    }
    let added = tx
        .connection
        .prepare_cached(
            "INSERT OR IGNORE INTO answers (run, scope, attempt, ordinal, outcome, at, format)
             VALUES (?, ?, ?, ?, ?, ?, ?)",
        )?
        .execute(params![
            waiter.seq,
            key.scope,
            key.attempt,
            key.ordinal,
            postcard::to_stdvec(&outcome)?,
            at.0,
            FORMAT
        ])?;
    if added == 0 {
        return Ok(None);
    }
    let woken = match apply(waiter.state, Event::Wake) {
        Ok(state) if waiter.waits => {
            wake(tx, waiter, state)?;
            true
        }
        Ok(_) | Err(_) => false,
    };
    Ok(Some(Answer {
        run: waiter.run.clone(),
        workspace: waiter.workspace.clone(),
        flow: waiter.flow.clone(),
        key,
        outcome,
        woken,
    }))
}

/// Puts a suspended run back into its queue, before those that have not begun.
pub(super) fn wake(tx: &mut Tx<'_>, waiter: &Found, state: State) -> Result<(), Error> {
    tx.connection
        .prepare_cached("UPDATE runs SET state = ?, reason = NULL WHERE seq = ?")?
        .execute(params![state_number(state), waiter.seq])?;
    tx.count(waiter.place, Some(waiter.state), Some(state));
    let queued = Queued { seq: waiter.seq, id: waiter.run.clone() };
    tx.enqueue_again(waiter.workspace.clone(), queued, Entrance::Woken);
    Ok(())
}

/// The state of a run, and what whoever waits for it gets when it has ended.
pub(super) fn answer_of(tx: &Tx<'_>, seq: i64) -> Result<Option<Outcome>, Error> {
    type Columns = (i64, Option<String>, Option<String>, Option<Vec<u8>>);
    let found: Option<Columns> = tx
        .connection
        .prepare_cached("SELECT state, reason, error, result FROM runs WHERE seq = ?")?
        .query_row([seq], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))
        .optional()?;
    let Some((state, reason, error, result)) = found else { return Ok(None) };
    let reason = reason.as_deref().map(columns::text).transpose()?;
    let ending = match columns::state(state)? {
        State::Queued | State::Running | State::Suspended => return Ok(None),
        State::Succeeded => Ending::Succeeded(result.unwrap_or_default()),
        State::Failed => {
            let error = error.as_deref().map(columns::from_json).transpose()?;
            let unknown = || RunError::plain(signalbox_core::codes::Code::Internal, "it failed");
            Ending::Failed(reason.unwrap_or(Reason::ScriptError), error.unwrap_or_else(unknown))
        }
        State::Cancelled | State::Skipped => Ending::Cancelled,
    };
    Ok(Some(answer::answer_of(&ending)))
}

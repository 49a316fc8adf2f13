//! How runs take turns, as far as a commit decides it: who is replaced, skipped or must yield.
//!
//! What a claim looks at is in memory (`line`) and follows from this.

use rusqlite::{OptionalExtension as _, params};
use signalbox_core::RunId;
use signalbox_core::clock::Timestamp;
use signalbox_core::codes::Code;
use signalbox_core::journal::{Chunk, Failure, Outcome};
use signalbox_core::run::{NewRun, Reason, State};
use signalbox_core::turn::{DEBOUNCES, WhenFull};

use super::append::insert_chunk;
use super::columns::{id_bytes, run_id, to_json};
use super::line::Queued;
use super::tx::{Recorded, Tx};
use super::{journal, settle};
use crate::contract::{Displaced, Error, Written};

/// What became of a run that came.
#[derive(Debug)]
pub(super) enum Placed {
    /// It waits. Its sequence.
    Queued(i64),
    /// Its key is full: it is recorded as skipped. The run that has the key.
    Skipped(RunId),
}

/// Records a new run and lets it wait, unless its flow says that it is skipped now.
pub(super) fn place(tx: &mut Tx<'_>, run: NewRun, record: Option<&Chunk>) -> Result<Placed, Error> {
    let (due, since) = replace_debounced(tx, &run)?;
    if let Some(holder) = keeps_out(tx, &run)? {
        let seq = tx.insert_run(&run, State::Skipped)?;
        tx.connection
            .prepare_cached("UPDATE runs SET reason = ?, ended_at = queued_at WHERE seq = ?")?
            .execute(params![Reason::ConcurrencyLimit.as_str(), seq])?;
        yield_to(tx, seq, &holder)?;
        return Ok(Placed::Skipped(holder));
    }
    make_room(tx, &run)?;
    let seq = tx.insert_run(&run, State::Queued)?;
    if due.is_some() {
        tx.connection
            .prepare_cached("UPDATE turns SET due = ?, since = ? WHERE run = ?")?
            .execute(params![due.map(|due| due.0), since.0, seq])?;
    }
    let queued = Queued { seq, id: run.id.clone() };
    let recorded = match record {
        Some(record) => {
            insert_chunk(tx, seq, 1, record)?;
            Recorded::Something
        }
        None => Recorded::Nothing,
    };
    tx.enqueue_new(queued, run, due, recorded);
    Ok(Placed::Queued(seq))
}

/// Writes how a new run takes its turn.
pub(super) fn insert(
    tx: &Tx<'_>,
    (seq, flow): (i64, i64),
    run: &NewRun,
    state: State,
) -> Result<(), Error> {
    if run.turn.is_plain() {
        return Ok(());
    }
    tx.connection
        .prepare_cached("INSERT INTO turns (run, flow, key, open, turn) VALUES (?, ?, ?, ?, ?)")?
        .execute(params![seq, flow, run.turn.key, !state.is_terminal(), to_json(&run.turn)?])?;
    Ok(())
}

/// A run that waits for earlier ones of its schedule has no key and waits for none.
pub(super) fn set_aside(tx: &Tx<'_>, seq: i64) -> Result<(), Error> {
    tx.connection.prepare_cached("UPDATE turns SET open = 0 WHERE run = ?")?.execute([seq])?;
    Ok(())
}

/// A run that was set aside takes its turn: it waits for its key, whatever `when_full` says.
pub(super) fn rejoin(tx: &mut Tx<'_>, seq: i64) -> Result<(), Error> {
    tx.connection.prepare_cached("UPDATE turns SET open = 1 WHERE run = ?")?.execute([seq])?;
    let run = journal::claim(tx.connection, seq, 0)?.run;
    tx.enqueue_new(Queued { seq, id: run.id.clone() }, run, None, Recorded::Nothing);
    Ok(())
}

/// The run has ended: its key is free after the commit.
pub(super) fn ended(tx: &mut Tx<'_>, seq: i64) -> Result<(), Error> {
    let open = tx
        .connection
        .prepare_cached("UPDATE turns SET open = 0 WHERE run = ? AND open = 1")?
        .execute([seq])?;
    if open == 1 {
        tx.leave_line(seq);
    }
    Ok(())
}

/// The reason of a run that is cancelled: somebody asked for it, or another run did.
pub(super) fn reason_to_cancel(tx: &Tx<'_>, seq: i64) -> Result<Reason, Error> {
    let yields = tx
        .connection
        .prepare_cached("SELECT 1 FROM turns WHERE run = ? AND yields_to IS NOT NULL")?
        .exists([seq])?;
    Ok(if yields { Reason::Superseded } else { Reason::CancelRequested })
}

/// A run that must yield goes on as another one with its key: that one must yield in its place.
pub(super) fn yield_on(tx: &mut Tx<'_>, from: i64, (seq, to): (i64, &NewRun)) -> Result<(), Error> {
    let newer: Option<[u8; 16]> = tx
        .connection
        .prepare_cached(
            "SELECT yields_to FROM turns WHERE run = ? AND key IS ? AND yields_to IS NOT NULL",
        )?
        .query_row(params![from, to.turn.key], |row| row.get(0))
        .optional()?;
    if let Some(newer) = newer {
        yield_to(tx, seq, &run_id(newer)?)?;
        tx.displace(Displaced::Cancel(to.id.clone()));
    }
    Ok(())
}

fn yield_to(tx: &Tx<'_>, seq: i64, newer: &RunId) -> Result<(), Error> {
    tx.connection
        .prepare_cached("UPDATE turns SET yields_to = ? WHERE run = ?")?
        .execute(params![id_bytes(newer)?, seq])?;
    Ok(())
}

/// Ends the run with the same key whose debounce is not over. Answers when that of the new one is,
/// and when the first of those in its row was accepted.
fn replace_debounced(
    tx: &mut Tx<'_>,
    run: &NewRun,
) -> Result<(Option<Timestamp>, Timestamp), Error> {
    let now = run.queued_at;
    let (Some(debounce), Some(key)) = (run.turn.debounce, &run.turn.key) else {
        return Ok((None, now));
    };
    let (_, flow) = tx.flow(&run.workspace, &run.flow)?;
    let found: Vec<(i64, [u8; 16], i64)> = tx
        .connection
        .prepare_cached(
            "SELECT t.run, r.id, coalesce(t.since, r.queued_at)
             FROM turns AS t JOIN runs AS r ON r.seq = t.run
             WHERE t.open = 1 AND t.flow = ? AND t.key = ? AND t.due > ? ORDER BY t.run",
        )?
        .query_map(params![flow, key, now.0], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
        .collect::<Result<_, _>>()?;
    let mut since = now;
    for (seq, id, first) in found {
        if pass_over(tx, seq, run_id(id)?, run)? {
            since = since.min(Timestamp(first));
        }
    }
    let latest = since.plus(debounce.saturating_mul(DEBOUNCES));
    Ok((Some(now.plus(debounce).min(latest)), since))
}

/// Ends a run that has not begun in favour of a new one. Answers whether it could.
fn pass_over(tx: &mut Tx<'_>, seq: i64, id: RunId, newer: &NewRun) -> Result<bool, Error> {
    let message = format!("run {id} was replaced by run {} before it began", newer.id);
    let answer = Outcome::Failed(Failure::transient(Code::CallFailed, message));
    yield_to(tx, seq, &newer.id)?;
    let answers = match settle::supersede(tx, &id, newer.queued_at, &answer)? {
        Written::Done(_) => Vec::new(),
        Written::Answered(answers) => answers,
        Written::Suspended { .. }
        | Written::Woken
        | Written::Fenced
        | Written::Claimed
        | Written::Rejected => {
            tx.connection
                .prepare_cached("UPDATE turns SET yields_to = NULL WHERE run = ?")?
                .execute([seq])?;
            return Ok(false);
        }
    };
    tx.displace(Displaced::Ended {
        run: id,
        workspace: newer.workspace.clone(),
        flow: newer.flow.clone(),
        answers,
    });
    Ok(true)
}

/// The run that keeps this one out, if its flow says that it is skipped then.
fn keeps_out(tx: &mut Tx<'_>, run: &NewRun) -> Result<Option<RunId>, Error> {
    let (WhenFull::Skip, Some(key), Some(limit)) =
        (run.turn.when_full, &run.turn.key, run.turn.limit)
    else {
        return Ok(None);
    };
    let (_, flow) = tx.flow(&run.workspace, &run.flow)?;
    // The one that makes the key full; with it the key has as many as it takes.
    let last: Option<[u8; 16]> = tx
        .connection
        .prepare_cached(
            "SELECT r.id FROM turns AS t JOIN runs AS r ON r.seq = t.run
             WHERE t.open = 1 AND t.flow = ? AND t.key = ? ORDER BY t.run LIMIT 1 OFFSET ?",
        )?
        .query_row(params![flow, key, limit.saturating_sub(1)], |row| row.get(0))
        .optional()?;
    last.map(run_id).transpose()
}

/// Makes the oldest runs with the key yield, if its flow says so and there are too many.
fn make_room(tx: &mut Tx<'_>, run: &NewRun) -> Result<(), Error> {
    let (WhenFull::CancelRunning, Some(key), Some(limit)) =
        (run.turn.when_full, &run.turn.key, run.turn.limit)
    else {
        return Ok(());
    };
    let (_, flow) = tx.flow(&run.workspace, &run.flow)?;
    let found: Vec<(i64, [u8; 16], bool)> = tx
        .connection
        .prepare_cached(
            "SELECT t.run, r.id, r.state = 0 AND r.started_at IS NULL
             FROM turns AS t JOIN runs AS r ON r.seq = t.run
             WHERE t.open = 1 AND t.flow = ? AND t.key = ? AND t.yields_to IS NULL
             ORDER BY t.run DESC LIMIT -1 OFFSET ?",
        )?
        .query_map(params![flow, key, limit.saturating_sub(1)], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })?
        .collect::<Result<_, _>>()?;
    for (seq, id, fresh) in found.into_iter().rev() {
        let id = run_id(id)?;
        if !fresh || !pass_over(tx, seq, id.clone(), run)? {
            yield_to(tx, seq, &run.id)?;
            tx.displace(Displaced::Cancel(id));
        }
    }
    Ok(())
}

//! What runs wait for: a moment, another run, their next attempt.

use rusqlite::{Connection, params};
use signalbox_core::Value;
use signalbox_core::clock::Timestamp;
use signalbox_core::codes::Code;
use signalbox_core::journal::{Failure, Key, Outcome};
use signalbox_core::run::{Event, Reason, State, apply};
use signalbox_core::value::encode;

use super::columns::{self, run_id};
use super::settle::{self, Found};
use super::tx::Tx;
use crate::contract::{Error, Expired, Named, Wait, WaitKind};

/// Waits that one transaction ends at most: others want to write, too.
const MOST: i64 = 1_000;
/// Kinds, as the schema has them.
const MOMENT: i64 = 0;
const RUN: i64 = 1;
const RETRY: i64 = 2;

/// What is waited for.
#[derive(Debug, Clone, Copy)]
pub(super) enum For {
    /// A moment.
    Moment(Timestamp),
    /// The run with a sequence, until then at most.
    Run(i64, Option<Timestamp>),
    /// The run's own next attempt.
    Retry(Timestamp),
}

/// Lets a run wait. A wait under the same key is forgotten.
pub(super) fn add(tx: &mut Tx<'_>, run: i64, key: &Key, what: For) -> Result<(), Error> {
    let (kind, until, callee) = match what {
        For::Moment(until) => (MOMENT, Some(until), None),
        For::Run(callee, until) => (RUN, until, Some(callee)),
        For::Retry(until) => (RETRY, Some(until), None),
    };
    tx.connection
        .prepare_cached("INSERT OR REPLACE INTO waits VALUES (?, ?, ?, ?, ?, ?, ?)")?
        .execute(params![
            run,
            key.scope,
            key.attempt,
            key.ordinal,
            kind,
            until.map(|until| until.0),
            callee
        ])?;
    if let Some(until) = until {
        tx.is_due(until);
    }
    Ok(())
}

/// The key under which a run waits for its next attempt: no effect has it.
pub(super) fn retry_key(attempt: u32) -> Key {
    Key { scope: String::new(), attempt, ordinal: u32::MAX }
}

/// Forgets a wait that was answered.
pub(super) fn remove(tx: &Tx<'_>, run: i64, key: &Key) -> Result<(), Error> {
    tx.connection
        .prepare_cached(
            "DELETE FROM waits WHERE run = ? AND scope = ? AND attempt = ? AND ordinal = ?",
        )?
        .execute(params![run, key.scope, key.attempt, key.ordinal])?;
    Ok(())
}

/// Forgets all that a run waits for.
pub(super) fn forget(tx: &Tx<'_>, run: i64) -> Result<(), Error> {
    tx.connection.prepare_cached("DELETE FROM waits WHERE run = ?")?.execute([run])?;
    Ok(())
}

/// Why a run waits, and until when at the latest something comes. `None`: it waits for nothing.
pub(super) fn reason(tx: &Tx<'_>, run: i64) -> Result<Option<(Reason, Option<Timestamp>)>, Error> {
    let (most, until): (Option<i64>, Option<i64>) = tx
        .connection
        .prepare_cached("SELECT max(kind), min(until) FROM waits WHERE run = ?")?
        .query_row([run], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let reason = |kind| if kind == RUN { Reason::WaitingCall } else { Reason::WaitingUntil };
    Ok(most.map(|kind| (reason(kind), until.map(Timestamp))))
}

/// Takes out everybody who waits for a run.
pub(super) fn take_callers(tx: &Tx<'_>, callee: i64) -> Result<Vec<(i64, Key)>, Error> {
    let mut callers = Vec::new();
    let mut statement = tx.connection.prepare_cached(
        "SELECT run, scope, attempt, ordinal FROM waits WHERE callee = ? AND callee IS NOT NULL
         ORDER BY run, scope, attempt, ordinal",
    )?;
    let mut rows = statement.query([callee])?;
    while let Some(row) = rows.next()? {
        if let Some(key) = columns::key(row, 1)? {
            callers.push((row.get(0)?, key));
        }
    }
    for (run, key) in &callers {
        remove(tx, *run, key)?;
    }
    Ok(callers)
}

/// Whoever waits for one run waits for another from now on.
pub(super) fn hand_on(tx: &Tx<'_>, from: i64, to: i64) -> Result<(), Error> {
    tx.connection
        .prepare_cached("UPDATE waits SET callee = ? WHERE callee = ? AND callee IS NOT NULL")?
        .execute([to, from])?;
    Ok(())
}

/// Ends what is due. See [`crate::contract::Store::expire`].
pub(super) fn expire(tx: &mut Tx<'_>, now: Timestamp) -> Result<Expired, Error> {
    let due = due(tx.connection, now)?;
    let mut expired = Expired { more: columns::signed(due.len()) == MOST, ..Expired::default() };
    for Due { run, key, kind } in due {
        let Some(found) = settle::find_seq(tx, run)? else {
            remove(tx, run, &key)?;
            continue;
        };
        match kind {
            RETRY => {
                remove(tx, run, &key)?;
                expired.retried.extend(begin_attempt(tx, found)?);
            }
            MOMENT => {
                let outcome = Outcome::Done(encode(&Value::Null));
                expired.answers.extend(settle::give(tx, &found, key, outcome, now)?);
            }
            _ => {
                let message = "the called run did not end in time";
                let outcome = Outcome::Failed(Failure::transient(Code::CallTimedOut, message));
                expired.answers.extend(settle::give(tx, &found, key, outcome, now)?);
            }
        }
    }
    expired.overdue = overdue(tx.connection, now)?;
    expired.more |= columns::signed(expired.overdue.len()) == MOST;
    let next = next(tx.connection, now)?;
    tx.set_due(next);
    Ok(expired)
}

struct Due {
    run: i64,
    key: Key,
    kind: i64,
}

fn due(connection: &Connection, now: Timestamp) -> Result<Vec<Due>, Error> {
    let mut statement = connection.prepare_cached(
        "SELECT run, scope, attempt, ordinal, kind FROM waits
         WHERE until IS NOT NULL AND until <= ? ORDER BY until LIMIT ?",
    )?;
    let mut rows = statement.query([now.0, MOST])?;
    let mut due = Vec::new();
    while let Some(row) = rows.next()? {
        if let Some(key) = columns::key(row, 1)? {
            due.push(Due { run: row.get(0)?, key, kind: row.get(4)? });
        }
    }
    Ok(due)
}

fn begin_attempt(tx: &mut Tx<'_>, found: Found) -> Result<Option<Named>, Error> {
    let Ok(state) = apply(found.state, Event::Wake) else { return Ok(None) };
    tx.connection
        .prepare_cached("UPDATE runs SET attempt = attempt + 1, error = NULL WHERE seq = ?")?
        .execute([found.seq])?;
    settle::wake(tx, &found, state)?;
    Ok(Some(Named { run: found.run, workspace: found.workspace, flow: found.flow }))
}

fn overdue(connection: &Connection, now: Timestamp) -> Result<Vec<Named>, Error> {
    let mut statement = connection.prepare_cached(
        "SELECT r.id, w.name, f.name FROM runs AS r JOIN workspaces AS w ON w.id = r.workspace
                                                    JOIN flows AS f ON f.id = r.flow
         WHERE r.deadline IS NOT NULL AND r.state < 3 AND r.deadline <= ?
         ORDER BY r.deadline LIMIT ?",
    )?;
    let mut rows = statement.query([now.0, MOST])?;
    let mut overdue = Vec::new();
    while let Some(row) = rows.next()? {
        overdue.push(Named {
            run: run_id(row.get(0)?)?,
            workspace: columns::text(row.get_ref(1)?.as_str().unwrap_or_default())?,
            flow: columns::text(row.get_ref(2)?.as_str().unwrap_or_default())?,
        });
    }
    Ok(overdue)
}

/// The next moment at which something is due. A deadline that has passed is not: its run is being
/// ended, or will be when whoever has it lets it go.
pub(super) fn next(connection: &Connection, now: Timestamp) -> Result<Option<Timestamp>, Error> {
    let wait: Option<i64> = connection
        .prepare_cached("SELECT min(until) FROM waits WHERE until IS NOT NULL")?
        .query_row([], |row| row.get(0))?;
    let deadline: Option<i64> = connection
        .prepare_cached(
            "SELECT min(deadline) FROM runs
             WHERE deadline IS NOT NULL AND state < 3 AND deadline > ?",
        )?
        .query_row([now.0], |row| row.get(0))?;
    Ok(wait.into_iter().chain(deadline).min().map(Timestamp))
}

/// All that a run waits for.
pub(super) fn of_run(connection: &Connection, run: i64) -> Result<Vec<Wait>, Error> {
    let mut statement = connection.prepare_cached(
        "SELECT w.scope, w.attempt, w.ordinal, w.kind, w.until, r.id
         FROM waits AS w LEFT JOIN runs AS r ON r.seq = w.callee
         WHERE w.run = ? ORDER BY w.scope, w.attempt, w.ordinal",
    )?;
    let mut rows = statement.query([run])?;
    let mut waits = Vec::new();
    while let Some(row) = rows.next()? {
        let Some(key) = columns::key(row, 0)? else { continue };
        let callee: Option<[u8; 16]> = row.get(5)?;
        let kind = match (row.get(3)?, callee) {
            (RETRY, _) => WaitKind::Retry,
            (RUN, Some(callee)) => WaitKind::Run(run_id(callee)?),
            _ => WaitKind::Moment,
        };
        waits.push(Wait { kind, key, until: row.get::<_, Option<i64>>(4)?.map(Timestamp) });
    }
    Ok(waits)
}

/// Whether a run in this state wakes up when one of its waits is answered.
pub(super) fn is_waiting(state: State, reason: Option<&str>) -> bool {
    let waits = [Reason::WaitingCall.as_str(), Reason::WaitingUntil.as_str()];
    state == State::Suspended && reason.is_some_and(|reason| waits.contains(&reason))
}

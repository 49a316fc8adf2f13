//! What the end of a run starts, in the transaction that ends it.

use rusqlite::{Connection, OptionalExtension as _, params};
use signalbox_core::FlowName;
use signalbox_core::catalog::Workspace;
use signalbox_core::clock::Timestamp;
use signalbox_core::journal::Key;
use signalbox_core::run::NewRun;

use super::alarms;
use super::columns;
use super::effects::{record_call, start_call};
use super::turns;
use super::tx::Tx;
use crate::contract::{Aftermath, Error, Handling, Recovery};

/// The sequence of no run: what is started by an alarm.
pub(super) const NO_RUN: i64 = 0;

/// Starts what is to be started.
pub(super) fn perform(
    tx: &mut Tx<'_>,
    ended: i64,
    at: Timestamp,
    aftermath: Aftermath,
) -> Result<(), Error> {
    let Aftermath { started, recovery, expected } = aftermath;
    if expected {
        alarms::succeeded(tx, ended, at)?;
    }
    for (ordinal, handling) in (0..).zip(started) {
        start(tx, ended, ordinal, handling)?;
    }
    match recovery {
        None => Ok(()),
        Some(Recovery::Awaited { schedule }) => {
            tx.connection
                .prepare_cached(
                    "INSERT INTO failing (flow, schedule, since)
                     SELECT flow, ?, ? FROM runs WHERE seq = ? ON CONFLICT DO NOTHING",
                )?
                .execute(params![schedule.unwrap_or_default(), at.0, ended])?;
            Ok(())
        }
        Some(Recovery::Over { schedule, started }) => {
            let over = tx
                .connection
                .prepare_cached(
                    "DELETE FROM failing
                     WHERE flow = (SELECT flow FROM runs WHERE seq = ?) AND schedule = ?",
                )?
                .execute(params![ended, schedule.unwrap_or_default()])?;
            if over > 0 {
                for (back, handling) in (0..).zip(started) {
                    start(tx, ended, u32::MAX - back, handling)?;
                }
            }
            Ok(())
        }
    }
}

/// When a workspace goes live: who tells of no recovery, now or until now, awaits none. Otherwise one
/// that begins to tell of them would begin with a failure that was over long ago.
pub(super) fn forget_recoveries(
    tx: &mut Tx<'_>,
    workspace: i64,
    before: Option<i64>,
    spec: &Workspace,
) -> Result<(), Error> {
    let awaited = awaited(tx.connection, workspace)?;
    if awaited.is_empty() {
        return Ok(());
    }
    let before = match before {
        Some(before) => spec_of(tx.connection, before)?,
        None => None,
    };
    for (flow, name, schedule) in awaited {
        let id = Some(schedule.as_str()).filter(|id| !id.is_empty());
        let tells =
            |spec: &Workspace| spec.flows.get(&name).is_some_and(|flow| flow.awaits_recovery(id));
        if !(tells(spec) && before.as_ref().is_some_and(tells)) {
            let sql = "DELETE FROM failing WHERE flow = ? AND schedule = ?";
            tx.connection.prepare_cached(sql)?.execute(params![flow, schedule])?;
        }
    }
    Ok(())
}

/// The recoveries that flows of a workspace await: the flow's number, its name, and the schedule.
fn awaited(connection: &Connection, workspace: i64) -> Result<Vec<(i64, FlowName, String)>, Error> {
    let mut statement = connection.prepare_cached(
        "SELECT f.id, f.name, a.schedule FROM failing AS a JOIN flows AS f ON f.id = a.flow
         WHERE f.workspace = ?",
    )?;
    let mut rows = statement.query([workspace])?;
    let mut awaited = Vec::new();
    while let Some(row) = rows.next()? {
        let name = columns::text(row.get_ref(1)?.as_str().unwrap_or_default())?;
        awaited.push((row.get(0)?, name, row.get(2)?));
    }
    Ok(awaited)
}

/// What a deployment made live.
fn spec_of(connection: &Connection, deployment: i64) -> Result<Option<Workspace>, Error> {
    let spec: Option<String> = connection
        .prepare_cached("SELECT spec FROM deployments WHERE id = ?")?
        .query_row([deployment], |row| row.get(0))
        .optional()?
        .flatten();
    spec.as_deref().map(columns::from_json).transpose()
}

/// Starts what handles the end of a run, or [`NO_RUN`]'s.
pub(super) fn start(
    tx: &mut Tx<'_>,
    ended: i64,
    ordinal: u32,
    handling: Handling,
) -> Result<(), Error> {
    let key = Key { scope: "handler".to_owned(), attempt: 1, ordinal };
    match handling {
        Handling::Run(run) => enqueue(tx, *run),
        Handling::Call(call) => start_call(tx, ended, &key, *call).map(drop),
        Handling::Refused(record) => record_call(tx, ended, &key, &record, None),
    }
}

/// A handler has its place whatever the queue holds: what it tells of has just left it. It takes its
/// turn like any other run.
pub(super) fn enqueue(tx: &mut Tx<'_>, run: NewRun) -> Result<(), Error> {
    turns::place(tx, run, None).map(drop)
}

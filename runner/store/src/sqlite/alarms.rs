//! Alarms, with the runs that tell of them.

use std::collections::BTreeMap;
use std::time::Duration;

use rusqlite::{Connection, params};
use signalbox_core::alarm::{Raised, Subject, Why};
use signalbox_core::catalog::Workspace;
use signalbox_core::clock::Timestamp;
use signalbox_core::health::Ended;
use signalbox_core::ids::FlowRef;
use signalbox_core::run::State;

use super::aftermath;
use super::columns::{self, from_json, to_json};
use super::names::{find_flow, find_workspace};
use super::tx::Tx;
use crate::contract::{
    AlarmChange, AlarmTurn, EndedFilter, Error, Expected, Lately, NewDeployment, Watch,
};

/// The flow of an alarm that is of the workspace itself.
const NO_FLOW: i64 = 0;
/// Most runs of a workspace or flow that are looked at, newest first.
const MOST_RUNS: i64 = 50_000;

/// Raises or clears an alarm and starts what tells of it. Answers whether it was not so before.
pub(super) fn change(tx: &mut Tx<'_>, change: AlarmChange) -> Result<bool, Error> {
    let changed = match &change.turn {
        AlarmTurn::Raise(raised) => raise(tx, raised)?,
        AlarmTurn::Clear(subject) => clear(tx, subject)?,
    };
    if changed {
        for (ordinal, handling) in (0..).zip(change.started) {
            aftermath::start(tx, aftermath::NO_RUN, ordinal, handling)?;
        }
    }
    Ok(changed)
}

fn place(tx: &mut Tx<'_>, subject: &Subject) -> Result<(i64, i64), Error> {
    match &subject.flow {
        Some(flow) => tx.flow(&subject.workspace, flow),
        None => Ok((tx.workspace(&subject.workspace)?, NO_FLOW)),
    }
}

fn raise(tx: &mut Tx<'_>, raised: &Raised) -> Result<bool, Error> {
    let (workspace, flow) = place(tx, &raised.subject)?;
    if let Why::Absent { counted_from, .. } = raised.why {
        let stands = tx
            .connection
            .prepare_cached("SELECT 1 FROM expected WHERE flow = ? AND since <= ?")?
            .exists(params![flow, counted_from.0])?;
        if !stands {
            return Ok(false);
        }
    }
    let added = tx
        .connection
        .prepare_cached("INSERT INTO alarms VALUES (?, ?, ?) ON CONFLICT DO NOTHING")?
        .execute(params![workspace, flow, to_json(raised)?])?;
    Ok(added == 1)
}

fn clear(tx: &mut Tx<'_>, subject: &Subject) -> Result<bool, Error> {
    let (workspace, flow) = place(tx, subject)?;
    let gone = tx
        .connection
        .prepare_cached("DELETE FROM alarms WHERE workspace = ? AND flow = ?")?
        .execute([workspace, flow])?;
    Ok(gone == 1)
}

/// What a workspace expects from now on. An expectation that is gone takes its alarm with it, and
/// one with another duration counts anew.
pub(super) fn expect(tx: &mut Tx<'_>, spec: &Workspace, new: &NewDeployment) -> Result<(), Error> {
    let workspace = tx.workspace(&new.workspace)?;
    let mut wanted = BTreeMap::new();
    for (name, flow) in &spec.flows {
        if let Some(absence) = &flow.absence {
            let after = i64::try_from(absence.after.as_micros()).unwrap_or(i64::MAX);
            wanted.insert(tx.flow(&new.workspace, name)?.1, after);
        }
    }
    let known: Vec<(i64, i64)> = tx
        .connection
        .prepare_cached("SELECT flow, after_us FROM expected WHERE workspace = ?")?
        .query_map([workspace], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    for (flow, _) in known.into_iter().filter(|(flow, after)| wanted.get(flow) != Some(after)) {
        for sql in ["DELETE FROM expected WHERE flow = ?", "DELETE FROM alarms WHERE flow = ?"] {
            tx.connection.prepare_cached(sql)?.execute([flow])?;
        }
    }
    let mut insert = tx
        .connection
        .prepare_cached("INSERT INTO expected VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING")?;
    for (flow, after) in wanted {
        insert.execute(params![flow, workspace, new.ended_at.0, after])?;
    }
    if spec.health.is_none() {
        tx.connection
            .prepare_cached("DELETE FROM alarms WHERE workspace = ? AND flow = ?")?
            .execute([workspace, NO_FLOW])?;
    }
    Ok(())
}

/// A workspace that is out of service expects nothing and has no alarm.
pub(super) fn forget(tx: &Tx<'_>, workspace: i64) -> Result<(), Error> {
    for sql in
        ["DELETE FROM expected WHERE workspace = ?", "DELETE FROM alarms WHERE workspace = ?"]
    {
        tx.connection.prepare_cached(sql)?.execute([workspace])?;
    }
    Ok(())
}

/// A flow that is expected to succeed did. Its alarm is cleared by who tells of that.
pub(super) fn succeeded(tx: &Tx<'_>, run: i64, at: Timestamp) -> Result<(), Error> {
    tx.connection
        .prepare_cached(
            "UPDATE expected SET since = max(since, ?)
             WHERE flow = (SELECT flow FROM runs WHERE seq = ?)",
        )?
        .execute(params![at.0, run])?;
    Ok(())
}

/// What is raised and what is expected.
pub(super) fn watch(connection: &Connection) -> Result<Watch, Error> {
    let mut statement =
        connection.prepare_cached("SELECT raised FROM alarms ORDER BY workspace, flow")?;
    let raised: Vec<String> =
        statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    let raised = raised.iter().map(|json| from_json(json)).collect::<Result<_, _>>()?;
    let mut statement = connection.prepare_cached(
        "SELECT w.name, f.name, e.since, e.after_us FROM expected AS e
         CROSS JOIN workspaces AS w ON w.id = e.workspace CROSS JOIN flows AS f ON f.id = e.flow",
    )?;
    let mut rows = statement.query([])?;
    let mut expected = Vec::new();
    while let Some(row) = rows.next()? {
        let text = |column: usize| -> Result<&str, Error> {
            Ok(row.get_ref(column)?.as_str().unwrap_or_default())
        };
        let flow = FlowRef { workspace: columns::text(text(0)?)?, flow: columns::text(text(1)?)? };
        let after = Duration::from_micros(columns::unsigned(row.get(3)?)?);
        expected.push(Expected { flow, since: Timestamp(row.get(2)?), after });
    }
    Ok(Watch { raised, expected })
}

/// How the newest runs of a workspace or a flow ended.
pub(super) fn lately(connection: &Connection, filter: &EndedFilter) -> Result<Lately, Error> {
    let mut lately = Lately::default();
    let Some(workspace) = find_workspace(connection, &filter.workspace)? else {
        return Ok(lately);
    };
    let flow = match &filter.flow {
        Some(name) => match find_flow(connection, workspace, name)? {
            Some(flow) => Some(flow),
            None => return Ok(lately),
        },
        None => None,
    };
    let mut statement = connection.prepare_cached(
        "SELECT state, ended_at, coalesce(started_at, ended_at) FROM runs
         WHERE seq IN (SELECT seq FROM runs WHERE workspace = ?1 AND (?2 IS NULL OR flow = ?2)
                       ORDER BY seq DESC LIMIT ?3)
           AND state IN (3, 4) AND ended_at IS NOT NULL AND successor IS NULL
           AND trigger NOT LIKE '%\"kind\":\"handler\"%' AND trigger NOT LIKE '%\"kind\":\"alarm\"%'",
    )?;
    let mut rows = statement.query(params![workspace, flow, MOST_RUNS])?;
    while let Some(row) = rows.next()? {
        let failed = columns::state(row.get(0)?)? == State::Failed;
        let (at, started_at) = (Timestamp(row.get(1)?), Timestamp(row.get(2)?));
        let last = if failed { &mut lately.last_failure } else { &mut lately.last_success };
        *last = (*last).max(Some(at));
        if at > filter.since {
            lately.ended.push(Ended::of(failed, Some(started_at), at));
        }
    }
    Ok(lately)
}

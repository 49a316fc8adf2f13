//! Runs as people and programs see them.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension as _, Row};
use signalbox_core::clock::Timestamp;
use signalbox_core::run::{State, StepRecord};
use signalbox_core::{DeploymentId, RunId};

use super::columns::{self, id_bytes, run_id, state_number};
use super::journal;
use super::names::find_workspace;
use super::waits;
use crate::contract::{Counts, Error, Page, RunFilter, RunSummary, RunView, Wait, WaitKind};

/// Most items of one part of a list.
pub(super) const MOST: usize = 1_000;

/// Claims whose rows do not say `running` yet, by sequence, with the time they were made. Taken
/// before the database is looked at, so that no run seems to step back.
pub(super) type Overlay = HashMap<i64, Timestamp>;

const SUMMARY: &str =
    "r.seq, r.id, w.name, f.name, r.deployment, d.revision, d.tree, r.trigger, r.state, r.reason,
     r.attempt, r.error, r.isolation, r.queued_at, r.started_at, r.ended_at,
     CASE r.state WHEN 2 THEN (SELECT min(until) FROM waits WHERE run = r.seq) END,
     (SELECT yields_to FROM turns WHERE run = r.seq)";
/// `CROSS`: runs come first whatever the planner thinks, so that their order needs no sorting.
const FROM: &str = "FROM runs AS r
     CROSS JOIN workspaces AS w ON w.id = r.workspace
     CROSS JOIN flows AS f ON f.id = r.flow
     CROSS JOIN deployments AS d ON d.id = r.deployment";

fn summary(row: &Row<'_>, overlay: &Overlay) -> Result<RunSummary, Error> {
    let seq: i64 = row.get(0)?;
    let mut state = columns::state(row.get(8)?)?;
    let mut started_at = row.get::<_, Option<i64>>(14)?.map(Timestamp);
    if let (State::Queued, Some(since)) = (state, overlay.get(&seq)) {
        state = State::Running;
        started_at = started_at.or(Some(*since));
    }
    let reason: Option<String> = row.get(9)?;
    let error: Option<String> = row.get(11)?;
    Ok(RunSummary {
        id: run_id(row.get(1)?)?,
        workspace: columns::text(row.get_ref(2)?.as_str().unwrap_or_default())?,
        flow: columns::text(row.get_ref(3)?.as_str().unwrap_or_default())?,
        deployment: DeploymentId(row.get(4)?),
        revision: columns::text(row.get_ref(5)?.as_str().unwrap_or_default())?,
        tree: row.get(6)?,
        trigger: columns::from_json(row.get_ref(7)?.as_str().unwrap_or_default())?,
        state,
        reason: reason.as_deref().map(columns::text).transpose()?,
        until: row.get::<_, Option<i64>>(16)?.map(Timestamp),
        yields_to: row.get::<_, Option<_>>(17)?.map(run_id).transpose()?,
        attempt: row.get(10)?,
        error: error.as_deref().map(columns::from_json).transpose()?,
        isolation: row.get(12)?,
        queued_at: Timestamp(row.get(13)?),
        started_at,
        ended_at: row.get::<_, Option<i64>>(15)?.map(Timestamp),
    })
}

/// One run whole.
pub(super) fn run(
    connection: &Connection,
    id: &RunId,
    overlay: &Overlay,
) -> Result<RunView, Error> {
    let sql = format!(
        "SELECT {SUMMARY}, r.inputs, r.result, r.chain, r.successor, r.deadline, r.dealt_at,
                (SELECT turn FROM turns WHERE run = r.seq)
         {FROM} WHERE r.id = ?"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query([id_bytes(id)?])?;
    let Some(row) = rows.next()? else { return Err(Error::NotFound(format!("run {id}"))) };
    let seq: i64 = row.get(0)?;
    let chain: Option<String> = row.get(20)?;
    let turn: Option<String> = row.get(24)?;
    let waits = waits::of_run(connection, seq)?;
    let run = |wait: &Wait| match &wait.kind {
        WaitKind::Run(run) => Some(run.clone()),
        WaitKind::Moment | WaitKind::Retry => None,
    };
    Ok(RunView {
        summary: summary(row, overlay)?,
        inputs: row.get(18)?,
        result: row.get(19)?,
        chain: chain.as_deref().map(columns::from_json).transpose()?.unwrap_or_default(),
        steps: steps(connection, seq)?,
        waits_for: waits.iter().filter_map(run).collect(),
        waits,
        successor: row.get::<_, Option<[u8; 16]>>(21)?.map(run_id).transpose()?,
        deadline: row.get::<_, Option<i64>>(22)?.map(Timestamp),
        dealt_at: row.get::<_, Option<i64>>(23)?.map(Timestamp),
        turn: turn.as_deref().map(columns::from_json).transpose()?.unwrap_or_default(),
    })
}

/// Runs by their sequence, in the order asked for; those that are gone are left out.
pub(super) fn by_sequence(
    connection: &Connection,
    runs: &[i64],
    overlay: &Overlay,
) -> Result<Vec<RunSummary>, Error> {
    let sql = format!("SELECT {SUMMARY} {FROM} WHERE r.seq = ?");
    let mut statement = connection.prepare_cached(&sql)?;
    let mut found = Vec::with_capacity(runs.len());
    for seq in runs {
        let mut rows = statement.query([seq])?;
        if let Some(row) = rows.next()? {
            found.push(summary(row, overlay)?);
        }
    }
    Ok(found)
}

/// The last record of each step, in the order they ended.
fn steps(connection: &Connection, seq: i64) -> Result<Vec<StepRecord>, Error> {
    let mut last: BTreeMap<String, (usize, StepRecord)> = BTreeMap::new();
    let mut records = Vec::new();
    journal::each_chunk(connection, seq, 0, |_, chunk| records.extend(chunk.steps))?;
    for (place, record) in records.into_iter().enumerate() {
        last.insert(record.id.clone(), (place, record));
    }
    let mut steps: Vec<_> = last.into_values().collect();
    steps.sort_by_key(|(place, _)| *place);
    Ok(steps.into_iter().map(|(_, record)| record).collect())
}

/// A part of the list of runs.
pub(super) fn runs(
    connection: &Connection,
    filter: &RunFilter,
    overlay: &Overlay,
) -> Result<Page<RunSummary>, Error> {
    let mut items = Vec::new();
    let Some((sql, values)) = list_query(connection, filter, overlay)? else {
        return Ok(Page { items, next: None });
    };
    let mut statement = connection.prepare(&sql)?;
    let mut rows = statement.query(rusqlite::params_from_iter(values))?;
    let mut last = 0;
    while let Some(row) = rows.next()? {
        if items.len() == filter.limit.clamp(1, MOST) {
            return Ok(Page { items, next: Some(last) });
        }
        last = row.get(0)?;
        items.push(summary(row, overlay)?);
    }
    Ok(Page { items, next: None })
}

/// The query for a part of the list and one row more; `None` when nothing can match.
pub(super) fn list_query(
    connection: &Connection,
    filter: &RunFilter,
    overlay: &Overlay,
) -> Result<Option<(String, Vec<Value>)>, Error> {
    let mut sql = format!("SELECT {SUMMARY} {FROM} WHERE r.seq < ?");
    let mut values: Vec<Value> = vec![filter.cursor.unwrap_or(i64::MAX).into()];
    if let Some(name) = &filter.workspace {
        let Some(workspace) = find_workspace(connection, name)? else { return Ok(None) };
        sql.push_str(" AND r.workspace = ?");
        values.push(workspace.into());
    }
    if let Some(flow) = &filter.flow {
        // The sign keeps the planner from starting with the flow, which would need sorting.
        sql.push_str(" AND +r.flow IN (SELECT id FROM flows WHERE name = ?)");
        values.push(flow.as_str().to_owned().into());
    }
    if let Some(since) = filter.since {
        sql.push_str(" AND r.queued_at >= ?");
        values.push(since.0.into());
    }
    if let Some(state) = filter.state {
        in_state(&mut sql, state, overlay);
    }
    if filter.dead {
        sql.push_str(" AND r.state = 4 AND r.dealt_at IS NULL");
    }
    sql.push_str(" ORDER BY r.seq DESC LIMIT ?");
    values.push(columns::signed(filter.limit.clamp(1, MOST) + 1).into());
    Ok(Some((sql, values)))
}

/// Adds the condition for a state. What is claimed is running, whatever its row says.
fn in_state(sql: &mut String, state: State, overlay: &Overlay) {
    let claimed = overlay.keys().map(i64::to_string).collect::<Vec<_>>().join(",");
    let number = state_number(state);
    let condition = match state {
        State::Queued => format!(" AND r.state <> 3 AND r.state = 0 AND r.seq NOT IN ({claimed})"),
        State::Running => {
            format!(" AND r.state <> 3 AND (r.state = 1 OR (r.state = 0 AND r.seq IN ({claimed})))")
        }
        State::Succeeded => " AND r.state = 3".to_owned(),
        State::Suspended | State::Failed | State::Cancelled | State::Skipped => {
            format!(" AND r.state <> 3 AND r.state = {number}")
        }
    };
    // Writing to a String cannot fail.
    write!(sql, "{condition}").unwrap_or_default();
}

/// Runs by workspace and state.
pub(super) fn counts(connection: &Connection, overlay: &Overlay) -> Result<Vec<Counts>, Error> {
    let mut statement = connection.prepare_cached(
        "SELECT w.name, c.state, c.runs FROM counts AS c JOIN workspaces AS w ON w.id = c.workspace
         WHERE c.runs > 0 ORDER BY w.name",
    )?;
    let mut rows = statement.query([])?;
    let mut counts: Vec<Counts> = Vec::new();
    while let Some(row) = rows.next()? {
        let workspace = columns::text(row.get_ref(0)?.as_str().unwrap_or_default())?;
        if counts.last().is_none_or(|last| last.workspace != workspace) {
            counts.push(Counts { workspace, runs: BTreeMap::new() });
        }
        let runs = columns::unsigned(row.get(2)?)?;
        if let Some(last) = counts.last_mut() {
            last.runs.insert(columns::state(row.get(1)?)?, runs);
        }
    }
    for seq in overlay.keys() {
        shift(connection, &mut counts, *seq)?;
    }
    Ok(counts)
}

/// Counts a claimed run as running if its row still says queued.
fn shift(connection: &Connection, counts: &mut [Counts], seq: i64) -> Result<(), Error> {
    let workspace: Option<String> = connection
        .prepare_cached(
            "SELECT w.name FROM runs AS r JOIN workspaces AS w ON w.id = r.workspace
             WHERE r.seq = ? AND r.state = 0",
        )?
        .query_row([seq], |row| row.get(0))
        .optional()?;
    let Some(workspace) = workspace else { return Ok(()) };
    let Some(counts) = counts.iter_mut().find(|counts| counts.workspace.as_str() == workspace)
    else {
        return Ok(());
    };
    if let Some(queued) = counts.runs.get_mut(&State::Queued) {
        *queued = queued.saturating_sub(1);
        if *queued == 0 {
            counts.runs.remove(&State::Queued);
        }
        *counts.runs.entry(State::Running).or_default() += 1;
    }
    Ok(())
}

//! Opening: what the memory is made of, and what the last process left behind.

use std::collections::{HashMap, HashSet};

use rusqlite::{Connection, Row, TransactionBehavior, params};
use signalbox_core::clock::Timestamp;
use signalbox_core::run::State;

use super::columns::{self, run_id, state_number};
use super::line::{Queued, Ticket};
use super::live::Live;
use super::waits;
use crate::contract::{Displaced, Error};

/// Runs of one workspace that a runner has at once, at most: sixteen cells with 64 each.
const SUSPECTS: usize = 1_024;

/// What is known when the store is open.
pub(super) struct Loaded {
    pub(super) live: Live,
    pub(super) deployments: HashSet<i64>,
    pub(super) next_seq: i64,
    /// When the next wait or deadline ends; those that ended meanwhile are due at once.
    pub(super) due: Option<Timestamp>,
}

/// Counts this opening, so that no epoch of an earlier one is ever given out again, and queues
/// every run that waited or that nobody evaluates any more; of the latter it is counted.
pub(super) fn load(connection: &mut Connection) -> Result<Loaded, Error> {
    let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let boot: u32 = tx.query_row(
        "UPDATE numbers SET value = value + 1 WHERE name = 'boot' RETURNING value",
        [],
        |row| row.get(0),
    )?;
    let next_seq: i64 = tx.query_row(
        "SELECT max(value, coalesce((SELECT max(seq) FROM runs), 0)) + 1 FROM numbers
         WHERE name = 'seq'",
        [],
        |row| row.get(0),
    )?;
    let mut live = Live::new(boot);
    hold_keys(&tx, &mut live)?;
    let died = take_over(&tx)?;
    let mut first: HashMap<String, usize> = HashMap::new();
    each(&tx, State::Queued, |workspace, run, ticket| {
        let before = first.entry(workspace.to_owned()).or_default();
        if died && *before < SUSPECTS {
            *before += 1;
            live.suspect(run.seq);
        }
        live.line.join(&columns::text(workspace)?, run, ticket);
        Ok(())
    })?;
    let mut orphans = Vec::new();
    each(&tx, State::Running, |workspace, run, _| {
        orphans.push((columns::text(workspace)?, run));
        Ok(())
    })?;
    // The last one first: each goes before those that are in the queue.
    orphans.into_iter().rev().for_each(|(workspace, run)| live.line.rejoin(&workspace, run));
    live.displaced = yielding(&tx)?;
    requeue_orphans(&tx)?;
    let deployments = tx
        .prepare("SELECT id FROM deployments")?
        .query_map([], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    let due = waits::next(&tx, Timestamp(i64::MIN))?;
    tx.commit()?;
    Ok(Loaded { live, deployments, next_seq, due })
}

/// Says that this process has the database. Answers whether the one before died with it.
fn take_over(connection: &Connection) -> Result<bool, Error> {
    let open: bool =
        connection
            .query_row("SELECT value FROM numbers WHERE name = 'open'", [], |row| row.get(0))?;
    connection.execute("UPDATE numbers SET value = 1 WHERE name = 'open'", [])?;
    Ok(open)
}

/// Says that this process lets the database go in good order.
pub(super) fn let_go(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute("UPDATE numbers SET value = 0 WHERE name = 'open'", []).map(drop)
}

/// Runs that have begun and not ended have their keys.
fn hold_keys(connection: &Connection, live: &mut Live) -> Result<(), Error> {
    let mut statement = connection.prepare(
        "SELECT w.name, r.seq, r.id, r.queued_at, t.turn, NULL, f.name
         FROM turns AS t CROSS JOIN runs AS r ON r.seq = t.run
                         JOIN workspaces AS w ON w.id = r.workspace
                         JOIN flows AS f ON f.id = r.flow
         WHERE t.open = 1 AND t.key IS NOT NULL AND (r.state <> 0 OR r.started_at IS NOT NULL)",
    )?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let run = Queued { seq: row.get(1)?, id: run_id(row.get(2)?)? };
        let workspace = columns::text(row.get_ref(0)?.as_str().unwrap_or_default())?;
        live.line.hold(&workspace, &run, ticket(row)?);
    }
    Ok(())
}

/// Runs that must end because others take their places.
fn yielding(connection: &Connection) -> Result<Vec<Displaced>, Error> {
    let mut statement = connection.prepare(
        "SELECT r.id FROM turns AS t JOIN runs AS r ON r.seq = t.run
         WHERE t.open = 1 AND t.yields_to IS NOT NULL",
    )?;
    let rows = statement.query_map([], |row| row.get(0))?;
    rows.map(|id| Ok(Displaced::Cancel(run_id(id?)?))).collect()
}

fn each(
    connection: &Connection,
    state: State,
    mut visit: impl FnMut(&str, Queued, Ticket) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut statement = connection.prepare(&format!(
        "SELECT w.name, r.seq, r.id, r.queued_at, t.turn, t.due,
                (SELECT name FROM flows WHERE id = t.flow)
         FROM runs AS r JOIN workspaces AS w ON w.id = r.workspace
                        LEFT JOIN turns AS t ON t.run = r.seq
         WHERE r.state <> 3 AND r.state = {} AND r.seq NOT IN (SELECT run FROM held)
         ORDER BY r.seq",
        state_number(state)
    ))?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let run = Queued { seq: row.get(1)?, id: run_id(row.get(2)?)? };
        visit(row.get_ref(0)?.as_str().unwrap_or_default(), run, ticket(row)?)?;
    }
    Ok(())
}

/// From the columns `queued_at`, `turn`, `due` and the flow's name, the first of them the fourth.
fn ticket(row: &Row<'_>) -> Result<Ticket, Error> {
    let queued_at = Timestamp(row.get(3)?);
    let turn: Option<String> = row.get(4)?;
    let Some(turn) = turn else { return Ok(Ticket::plain(queued_at)) };
    let due: Option<i64> = row.get(5)?;
    let flow = columns::text(row.get_ref(6)?.as_str().unwrap_or_default())?;
    Ok(Ticket::of(&flow, &columns::from_json(&turn)?, queued_at, due.map(Timestamp)))
}

fn requeue_orphans(connection: &Connection) -> Result<(), Error> {
    let (queued, running) = (state_number(State::Queued), state_number(State::Running));
    connection.execute(
        "INSERT INTO counts SELECT workspace, ?, runs FROM counts WHERE state = ?
         ON CONFLICT DO UPDATE SET runs = runs + excluded.runs",
        params![queued, running],
    )?;
    connection.execute("DELETE FROM counts WHERE state = ?", [running])?;
    connection.execute(
        &format!(
            "UPDATE runs SET state = {queued}, recovered = recovered + 1
             WHERE state <> 3 AND state = {running}"
        ),
        [],
    )?;
    Ok(())
}

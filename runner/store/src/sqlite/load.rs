//! Opening: what the memory is made of, and what the last process left behind.

use std::collections::HashSet;

use rusqlite::{Connection, TransactionBehavior, params};
use signalbox_core::clock::Timestamp;
use signalbox_core::run::State;

use super::columns::{self, run_id, state_number};
use super::live::{Enqueue, Live, Queued};
use super::waits;
use crate::contract::Error;

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
    each(&tx, State::Queued, |workspace, run| {
        live.load(columns::text(workspace)?, run);
        Ok(())
    })?;
    let mut orphans = Vec::new();
    each(&tx, State::Running, |workspace, run| {
        let workspace = columns::text(workspace)?;
        orphans.push(Enqueue { workspace, run, fresh: None, first: true });
        Ok(())
    })?;
    // The last one first: each goes before those that are in the queue.
    orphans.into_iter().rev().for_each(|orphan| live.enqueue(orphan));
    requeue_orphans(&tx)?;
    let deployments = tx
        .prepare("SELECT id FROM deployments")?
        .query_map([], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    let due = waits::next(&tx, Timestamp(i64::MIN))?;
    tx.commit()?;
    Ok(Loaded { live, deployments, next_seq, due })
}

fn each(
    connection: &Connection,
    state: State,
    mut visit: impl FnMut(&str, Queued) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut statement = connection.prepare(&format!(
        "SELECT w.name, r.seq, r.id FROM runs AS r JOIN workspaces AS w ON w.id = r.workspace
         WHERE r.state <> 3 AND r.state = {} AND r.seq NOT IN (SELECT run FROM held)
         ORDER BY r.seq",
        state_number(state)
    ))?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let run = Queued { seq: row.get(1)?, id: run_id(row.get(2)?)? };
        visit(row.get_ref(0)?.as_str().unwrap_or_default(), run)?;
    }
    Ok(())
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

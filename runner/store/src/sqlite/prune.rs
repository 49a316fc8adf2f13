//! Forgetting, in transactions so small that nobody waits for them.

use rusqlite::{OptionalExtension as _, params};
use signalbox_core::clock::Timestamp;
use signalbox_core::run::State;

use super::accept::KEY_LIFE;
use super::columns;
use super::journal;
use super::tx::Tx;
use crate::contract::{Error, Retention};

/// Rows that one transaction forgets or looks at.
const STEP: i64 = 500;
/// Free pages that one transaction gives back to the file system.
const PAGES: i64 = 512;

/// How far forgetting by age has come.
#[derive(Debug, Clone, Copy)]
pub(super) struct Progress {
    after: i64,
    /// Whether there may be more.
    pub(super) more: bool,
    /// Runs that this step forgot.
    pub(super) runs: u64,
}

impl Progress {
    /// Nothing was looked at yet.
    pub(super) fn start() -> Self {
        Self { after: 0, more: true, runs: 0 }
    }
}

struct Old {
    seq: i64,
    workspace: i64,
    state: State,
}

/// Forgets runs that ended before `now - age`. Looks at rows in the order they were accepted up
/// to those accepted after that moment: none behind can have ended before it.
pub(super) fn old_runs(
    tx: &mut Tx<'_>,
    from: Progress,
    keep: Retention,
    now: Timestamp,
) -> Result<Progress, Error> {
    let horizon = now.minus(keep.age);
    let mut statement = tx.connection.prepare_cached(
        "SELECT seq, workspace, state, ended_at, queued_at FROM runs WHERE seq > ?
         ORDER BY seq LIMIT ?",
    )?;
    let mut rows = statement.query(params![from.after, STEP])?;
    let mut progress = Progress { after: from.after, more: false, runs: 0 };
    let mut seen = 0;
    let mut old = Vec::new();
    while let Some(row) = rows.next()? {
        if row.get::<_, i64>(4)? >= horizon.0 {
            seen = 0;
            break;
        }
        seen += 1;
        progress.after = row.get(0)?;
        let state = columns::state(row.get(2)?)?;
        let ended: Option<i64> = row.get(3)?;
        if state.is_terminal() && ended.is_some_and(|ended| ended < horizon.0) {
            old.push(Old { seq: progress.after, workspace: row.get(1)?, state });
        }
    }
    drop(rows);
    drop(statement);
    progress.more = seen == STEP;
    progress.runs = forget(tx, old)?;
    Ok(progress)
}

/// Forgets the oldest ended runs of workspaces that have more than are kept.
pub(super) fn surplus_runs(tx: &mut Tx<'_>, keep: Retention) -> Result<u64, Error> {
    let most = i64::try_from(keep.runs).unwrap_or(i64::MAX);
    let surplus: Option<(i64, i64)> = tx
        .connection
        .prepare_cached(
            "SELECT workspace, sum(runs) - ?1 FROM counts WHERE state >= 3
             GROUP BY workspace HAVING sum(runs) > ?1 LIMIT 1",
        )?
        .query_row([most], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((workspace, surplus)) = surplus else { return Ok(0) };
    let mut statement = tx.connection.prepare_cached(
        "SELECT seq, state FROM runs WHERE workspace = ? AND state >= 3 ORDER BY seq LIMIT ?",
    )?;
    let mut rows = statement.query(params![workspace, surplus.min(STEP)])?;
    let mut old = Vec::new();
    while let Some(row) = rows.next()? {
        old.push(Old { seq: row.get(0)?, workspace, state: columns::state(row.get(1)?)? });
    }
    drop(rows);
    drop(statement);
    forget(tx, old)
}

fn forget(tx: &mut Tx<'_>, old: Vec<Old>) -> Result<u64, Error> {
    let count = old.len() as u64;
    for Old { seq, workspace, state } in old {
        for sql in [
            "DELETE FROM answers WHERE run = ?",
            "DELETE FROM waits WHERE run = ?",
            "DELETE FROM calls WHERE caller = ?",
            "DELETE FROM turns WHERE run = ?",
            "DELETE FROM runs WHERE seq = ?",
        ] {
            tx.connection.prepare_cached(sql)?.execute([seq])?;
        }
        tx.connection
            .prepare_cached("DELETE FROM chunks WHERE id BETWEEN ? AND ?")?
            .execute(journal::chunk_ids(seq))?;
        tx.count(workspace, Some(state), None);
    }
    if count > 0 {
        // A cursor of a client must never meet a sequence that was given out twice.
        tx.connection
            .prepare_cached("UPDATE numbers SET value = max(value, ?) WHERE name = 'seq'")?
            .execute([*tx.next_seq - 1])?;
    }
    Ok(count)
}

/// Forgets deployments beyond those that are kept, live, or of a run that is there.
pub(super) fn deployments(tx: &mut Tx<'_>, keep: Retention) -> Result<u64, Error> {
    let most = i64::try_from(keep.deployments).unwrap_or(i64::MAX);
    let mut statement = tx.connection.prepare_cached(
        "SELECT id FROM (
             SELECT id, row_number() OVER (PARTITION BY workspace ORDER BY id DESC) AS place
             FROM deployments) AS d
         WHERE place > ?
           AND NOT EXISTS (SELECT 1 FROM workspaces WHERE live = d.id)
           AND NOT EXISTS (SELECT 1 FROM runs WHERE deployment = d.id)
         LIMIT ?",
    )?;
    let ids: Vec<i64> =
        statement.query_map([most, STEP], |row| row.get(0))?.collect::<Result<_, _>>()?;
    drop(statement);
    for id in &ids {
        for sql in [
            "DELETE FROM deployment_files WHERE deployment = ?",
            "DELETE FROM deployments WHERE id = ?",
        ] {
            tx.connection.prepare_cached(sql)?.execute([id])?;
        }
        tx.know_deployment(*id, false);
    }
    Ok(ids.len() as u64)
}

/// Forgets files that no deployment has.
pub(super) fn blobs(tx: &mut Tx<'_>) -> Result<u64, Error> {
    let deleted = tx
        .connection
        .prepare_cached(
            "DELETE FROM blobs WHERE id IN (
                 SELECT id FROM blobs AS b
                 WHERE NOT EXISTS (SELECT 1 FROM deployment_files WHERE digest = b.digest)
                 LIMIT ?)",
        )?
        .execute([STEP])?;
    Ok(deleted as u64)
}

/// Forgets idempotency keys that are not known any more.
pub(super) fn keys(tx: &mut Tx<'_>, now: Timestamp) -> Result<u64, Error> {
    let deleted = tx
        .connection
        .prepare_cached(
            "DELETE FROM idempotency WHERE (flow, key) IN (
                 SELECT flow, key FROM idempotency WHERE at <= ? LIMIT ?)",
        )?
        .execute(params![now.minus(KEY_LIFE).0, STEP])?;
    Ok(deleted as u64)
}

/// Gives some free pages back. Answers how many are left.
pub(super) fn shrink(tx: &mut Tx<'_>) -> Result<i64, Error> {
    let free = |tx: &Tx<'_>| -> Result<i64, Error> {
        Ok(tx.connection.query_row("PRAGMA freelist_count", [], |row| row.get(0))?)
    };
    let before = free(tx)?;
    if before > 0 {
        tx.connection.execute_batch(&format!("PRAGMA incremental_vacuum({PAGES})"))?;
    }
    let after = free(tx)?;
    // What cannot shrink further must not keep the caller going.
    Ok(if after < before { after } else { 0 })
}

//! Schedules: their slots, the runs of one that wait for each other, and pauses.

use std::sync::atomic::Ordering;

use rusqlite::{Connection, OptionalExtension as _, params};
use signalbox_core::RunId;
use signalbox_core::catalog::Workspace;
use signalbox_core::clock::Timestamp;
use signalbox_core::run::{NewRun, Reason, State};
use signalbox_core::schedule::Overlap;

use super::columns::{self, run_id};
use super::names::{find_flow, find_workspace};
use super::turns;
use super::tx::Tx;
use crate::contract::{Accepted, Error, NewDeployment, Pausable, ScheduleKey, ScheduleState, Slot};

/// What a slot that may be taken means for its run.
pub(super) enum Turn {
    /// It goes into the queue.
    Now,
    /// It waits behind the schedule's earlier runs.
    Behind,
    /// It is recorded as skipped: an earlier one has not ended.
    Skipped,
    /// It is recorded as skipped: too many wait already.
    Full,
}

/// Moves the schedule to the slot, unless it is there already or an earlier run must be cancelled
/// first.
pub(super) fn take_slot(
    tx: &mut Tx<'_>,
    slot: &Slot,
    queue_bound: u32,
) -> Result<Result<Turn, Accepted>, Error> {
    let (workspace, flow) = tx.flow(&slot.schedule.workspace, &slot.schedule.flow)?;
    let key = &slot.schedule.schedule;
    let known: Option<(i64, Option<i64>, bool)> = tx
        .connection
        .prepare_cached(
            "SELECT s.last_slot, s.run, s.paused_at IS NOT NULL OR w.paused_at IS NOT NULL
             FROM schedules AS s JOIN workspaces AS w ON w.id = s.workspace
             WHERE s.flow = ? AND s.schedule = ?",
        )?
        .query_row(params![flow, key], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()?;
    // Whoever paused it a moment ago can rely on it: slots of the pause are not owed.
    if known.is_some_and(|(last, _, paused)| paused || last >= slot.at.0) {
        return Ok(Err(Accepted::Stale));
    }
    let earlier = match known {
        Some((_, Some(seq), _)) => unended(tx, seq)?,
        Some((_, None, _)) | None => None,
    };
    let turn = match (earlier, slot.overlap) {
        (None, _) => Turn::Now,
        (Some(_), Overlap::Skip) => Turn::Skipped,
        (Some(run), Overlap::CancelRunning) => return Ok(Err(Accepted::Overlaps(run))),
        (Some(_), Overlap::Queue) => {
            let held = held_of(tx, flow, key)?;
            if held >= queue_bound { Turn::Full } else { Turn::Behind }
        }
    };
    tx.connection
        .prepare_cached(
            "INSERT INTO schedules (flow, schedule, workspace, last_slot) VALUES (?, ?, ?, ?)
             ON CONFLICT DO UPDATE SET last_slot = excluded.last_slot",
        )?
        .execute(params![flow, key, workspace, slot.at.0])?;
    Ok(Ok(turn))
}

fn unended(tx: &Tx<'_>, seq: i64) -> Result<Option<RunId>, Error> {
    let found: Option<([u8; 16], i64)> = tx
        .connection
        .prepare_cached("SELECT id, state FROM runs WHERE seq = ?")?
        .query_row([seq], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((id, state)) = found else { return Ok(None) };
    if columns::state(state)?.is_terminal() { Ok(None) } else { Ok(Some(run_id(id)?)) }
}

fn held_of(tx: &Tx<'_>, flow: i64, schedule: &str) -> Result<u32, Error> {
    Ok(tx
        .connection
        .prepare_cached("SELECT count(*) FROM held WHERE flow = ? AND schedule = ?")?
        .query_row(params![flow, schedule], |row| row.get(0))?)
}

/// Remembers the run of a slot as the one that later slots look at.
pub(super) fn remember(tx: &mut Tx<'_>, slot: &Slot, seq: i64) -> Result<(), Error> {
    let (_, flow) = tx.flow(&slot.schedule.workspace, &slot.schedule.flow)?;
    tx.connection
        .prepare_cached("UPDATE schedules SET run = ? WHERE flow = ? AND schedule = ?")?
        .execute(params![seq, flow, slot.schedule.schedule])?;
    Ok(())
}

/// Records the run of a slot, which waits until those before it have ended.
pub(super) fn hold(tx: &mut Tx<'_>, slot: &Slot, run: &NewRun) -> Result<(), Error> {
    let (_, flow) = tx.flow(&slot.schedule.workspace, &slot.schedule.flow)?;
    let seq = tx.insert_run(run, State::Queued)?;
    tx.connection
        .prepare_cached("UPDATE runs SET reason = ? WHERE seq = ?")?
        .execute(params![Reason::WaitingOverlap.as_str(), seq])?;
    tx.connection.prepare_cached("INSERT INTO held VALUES (?, ?, ?)")?.execute(params![
        flow,
        slot.schedule.schedule,
        seq
    ])?;
    turns::set_aside(tx, seq)?;
    tx.shared.holds.store(true, Ordering::Relaxed);
    Ok(())
}

/// Later slots look at the run that continues another one.
pub(super) fn hand_on(tx: &mut Tx<'_>, to: &NewRun, from: i64, seq: i64) -> Result<(), Error> {
    let (_, flow) = tx.flow(&to.workspace, &to.flow)?;
    tx.connection
        .prepare_cached("UPDATE schedules SET run = ? WHERE flow = ? AND run = ?")?
        .execute([seq, flow, from])?;
    Ok(())
}

/// After the end of a run: the next one that waited for it goes into the queue.
pub(super) fn ended(tx: &mut Tx<'_>, seq: i64) -> Result<(), Error> {
    // Nearly always nothing is held, and nothing is to be paid for it.
    if !tx.shared.holds.load(Ordering::Relaxed) {
        return Ok(());
    }
    let waited = tx.connection.prepare_cached("DELETE FROM held WHERE run = ?")?.execute([seq])?;
    if waited > 0 {
        // It was not the one that others wait for.
        return Ok(());
    }
    let next: Option<(i64, i64, String)> = tx
        .connection
        .prepare_cached(
            "SELECT h.run, s.flow, s.schedule
             FROM held AS h CROSS JOIN schedules AS s USING (flow, schedule)
             WHERE s.run = ? ORDER BY h.run LIMIT 1",
        )?
        .query_row([seq], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()?;
    let Some((next, flow, schedule)) = next else { return Ok(()) };
    tx.connection.prepare_cached("DELETE FROM held WHERE run = ?")?.execute([next])?;
    tx.connection
        .prepare_cached("UPDATE schedules SET run = ? WHERE flow = ? AND schedule = ?")?
        .execute(params![next, flow, schedule])?;
    tx.connection.prepare_cached("UPDATE runs SET reason = NULL WHERE seq = ?")?.execute([next])?;
    turns::rejoin(tx, next)
}

/// Whether any run is held: asked once, when the store is opened.
pub(super) fn any_held(connection: &Connection) -> Result<bool, Error> {
    Ok(connection.prepare("SELECT 1 FROM held LIMIT 1")?.exists([])?)
}

/// A schedule that was never seen, or whose slots follow from something else than before, owes
/// nothing from before it went live. One that comes back goes on from its last slot.
pub(super) fn baselines(
    tx: &mut Tx<'_>,
    spec: &Workspace,
    new: &NewDeployment,
) -> Result<(), Error> {
    for (name, flow) in &spec.flows {
        for schedule in &flow.schedules {
            let calendar =
                spec.calendar_of(schedule).map(signalbox_core::schedule::Calendar::digest);
            let (workspace, flow) = tx.flow(&new.workspace, name)?;
            tx.connection
                .prepare_cached(
                    "INSERT INTO schedules (flow, schedule, workspace, last_slot, timing)
                     VALUES (?, ?, ?, ?, ?)
                     ON CONFLICT DO UPDATE SET
                         last_slot = CASE WHEN timing IS NULL THEN last_slot
                                          ELSE max(last_slot, excluded.last_slot) END,
                         timing = excluded.timing
                     WHERE timing IS NOT excluded.timing",
                )?
                .execute(params![
                    flow,
                    schedule.id(),
                    workspace,
                    new.ended_at.0,
                    schedule.timing(calendar)
                ])?;
        }
    }
    Ok(())
}

/// Pauses; what is paused already stays so from when it was. Answers whether that is new.
///
/// # Errors
/// [`Error::NotFound`] when there is no such thing.
pub(super) fn pause(tx: &mut Tx<'_>, what: &Pausable, at: Timestamp) -> Result<bool, Error> {
    let changed = match what {
        Pausable::Workspace(name) => {
            let workspace = find_workspace(tx.connection, name)?.ok_or_else(|| missing(what))?;
            let sql = "UPDATE workspaces SET paused_at = ? WHERE id = ? AND paused_at IS NULL";
            tx.connection.execute(sql, params![at.0, workspace])?
        }
        Pausable::Schedule(key) => {
            let flow = known_flow(tx, key)?.ok_or_else(|| missing(what))?;
            let sql = "UPDATE schedules SET paused_at = ?
                       WHERE flow = ? AND schedule = ? AND paused_at IS NULL";
            tx.connection.execute(sql, params![at.0, flow, key.schedule])?
        }
    };
    Ok(changed > 0)
}

/// Goes on. Slots of the pause are not owed. Answers whether it was paused.
///
/// # Errors
/// [`Error::NotFound`] when there is no such thing.
pub(super) fn resume(tx: &mut Tx<'_>, what: &Pausable, at: Timestamp) -> Result<bool, Error> {
    match what {
        Pausable::Workspace(name) => {
            let workspace = find_workspace(tx.connection, name)?.ok_or_else(|| missing(what))?;
            let sql =
                "UPDATE workspaces SET paused_at = NULL WHERE id = ? AND paused_at IS NOT NULL";
            let changed = tx.connection.execute(sql, [workspace])? > 0;
            if changed {
                let sql = "UPDATE schedules SET last_slot = max(last_slot, ?) WHERE workspace = ?";
                tx.connection.execute(sql, params![at.0, workspace])?;
            }
            Ok(changed)
        }
        Pausable::Schedule(key) => {
            let flow = known_flow(tx, key)?.ok_or_else(|| missing(what))?;
            let sql = "UPDATE schedules SET paused_at = NULL, last_slot = max(last_slot, ?)
                       WHERE flow = ? AND schedule = ? AND paused_at IS NOT NULL";
            Ok(tx.connection.execute(sql, params![at.0, flow, key.schedule])? > 0)
        }
    }
}

/// The number of the flow of a schedule that is there.
fn known_flow(tx: &Tx<'_>, key: &ScheduleKey) -> Result<Option<i64>, Error> {
    let Some(workspace) = find_workspace(tx.connection, &key.workspace)? else { return Ok(None) };
    let Some(flow) = find_flow(tx.connection, workspace, &key.flow)? else { return Ok(None) };
    Ok(is_known(tx, flow, &key.schedule)?.then_some(flow))
}

/// Whether there is such a schedule.
fn is_known(tx: &Tx<'_>, flow: i64, schedule: &str) -> Result<bool, Error> {
    let sql = "SELECT 1 FROM schedules WHERE flow = ? AND schedule = ?";
    Ok(tx.connection.prepare_cached(sql)?.exists(params![flow, schedule])?)
}

fn missing(what: &Pausable) -> Error {
    Error::NotFound(match what {
        Pausable::Workspace(name) => format!("workspace {name}"),
        Pausable::Schedule(key) => {
            format!("schedule {} of {}/{}", key.schedule, key.workspace, key.flow)
        }
    })
}

/// The schedules of live workspaces.
pub(super) fn states(connection: &Connection) -> Result<Vec<ScheduleState>, Error> {
    let mut statement = connection.prepare_cached(
        "SELECT w.name, f.name, s.schedule, s.last_slot, s.paused_at
         FROM schedules AS s JOIN flows AS f ON f.id = s.flow
                             JOIN workspaces AS w ON w.id = s.workspace
         WHERE w.live IS NOT NULL",
    )?;
    let mut rows = statement.query([])?;
    let mut states = Vec::new();
    while let Some(row) = rows.next()? {
        let key = ScheduleKey {
            workspace: columns::text(row.get_ref(0)?.as_str().unwrap_or_default())?,
            flow: columns::text(row.get_ref(1)?.as_str().unwrap_or_default())?,
            schedule: row.get(2)?,
        };
        let paused_at = row.get::<_, Option<i64>>(4)?.map(Timestamp);
        states.push(ScheduleState { key, last_slot: Timestamp(row.get(3)?), paused_at });
    }
    Ok(states)
}

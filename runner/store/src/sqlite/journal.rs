//! The record of a run, and what is needed to go on with one.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension as _, params};
use signalbox_core::clock::Timestamp;
use signalbox_core::journal::{Chunk, Entry, Key, Outcome};
use signalbox_core::run::NewRun;
use signalbox_core::{DeploymentId, RunId};

use super::columns::{self, id_bytes, run_id};
use super::format;
use crate::contract::{Claim, Error, MAX_CHUNKS};

fn sequence(connection: &Connection, run: &RunId) -> Result<i64, Error> {
    let seq = connection
        .prepare_cached("SELECT seq FROM runs WHERE id = ?")?
        .query_row([id_bytes(run)?], |row| row.get(0))
        .optional()?;
    seq.ok_or_else(|| Error::NotFound(format!("run {run}")))
}

/// The ids between which the chunks of the run with a sequence are; those that there are have numbers
/// from 1. Half a million million runs have room.
pub(super) fn chunk_ids(seq: i64) -> (i64, i64) {
    let first = seq * i64::from(MAX_CHUNKS);
    (first, first + i64::from(MAX_CHUNKS) - 1)
}

/// The chunks of a run with a number above `after`, without entries.
pub(super) fn chunks(
    connection: &Connection,
    run: &RunId,
    after: u32,
) -> Result<Vec<(u32, Chunk)>, Error> {
    let mut chunks = Vec::new();
    each_chunk(connection, sequence(connection, run)?, after, |number, chunk| {
        chunks.push((number, Chunk { entries: Vec::new(), ..chunk }));
    })?;
    Ok(chunks)
}

/// Goes through the chunks of the run with a sequence. There is one of them at a time: together they
/// may be as large as a journal.
pub(super) fn each_chunk(
    connection: &Connection,
    seq: i64,
    after: u32,
    mut take: impl FnMut(u32, Chunk),
) -> Result<(), Error> {
    let mut statement = connection.prepare_cached(
        "SELECT id - ?1, body, format FROM chunks WHERE id > ?2 AND id <= ?3 ORDER BY id",
    )?;
    let (first, last) = chunk_ids(seq);
    let mut rows = statement.query(params![first, first + i64::from(after), last])?;
    while let Some(row) = rows.next()? {
        let body = row.get_ref(1)?.as_blob().unwrap_or_default();
        take(row.get(0)?, format::read(row.get(2)?, body)?);
    }
    Ok(())
}

/// The entries of a run, the answers of its waits in their places.
pub(super) fn entries(connection: &Connection, run: &RunId) -> Result<Vec<Entry>, Error> {
    let seq = sequence(connection, run)?;
    let mut answers = answers(connection, seq)?;
    let mut entries: Vec<Entry> = Vec::new();
    each_chunk(connection, seq, 0, |_, chunk| entries.extend(chunk.entries))?;
    for entry in &mut entries {
        if entry.outcome == Outcome::Pending
            && let Some(answer) = answers.remove(&entry.key)
        {
            entry.outcome = answer;
        }
    }
    Ok(entries)
}

fn answers(connection: &Connection, seq: i64) -> Result<HashMap<Key, Outcome>, Error> {
    let mut statement = connection.prepare_cached(
        "SELECT scope, attempt, ordinal, outcome, format FROM answers WHERE run = ?",
    )?;
    let mut rows = statement.query([seq])?;
    let mut answers = HashMap::new();
    while let Some(row) = rows.next()? {
        let body = row.get_ref(3)?.as_blob().unwrap_or_default();
        if let Some(key) = columns::key(row, 0)? {
            answers.insert(key, format::read(row.get(4)?, body)?);
        }
    }
    Ok(answers)
}

/// A queued run as whoever claims it needs it.
pub(super) fn claim(connection: &Connection, seq: i64, epoch: u64) -> Result<Claim, Error> {
    let mut statement = connection.prepare_cached(
        "SELECT r.id, w.name, f.name, r.deployment, r.trigger, r.inputs, r.chain, r.queued_at,
                r.attempt, r.lost_cells, r.active_us, r.started_at,
                (SELECT max(id) - ?2 FROM chunks WHERE id BETWEEN ?2 AND ?3), r.deadline, r.recovered,
                (SELECT turn FROM turns WHERE run = r.seq)
         FROM runs AS r JOIN workspaces AS w ON w.id = r.workspace
                        JOIN flows AS f ON f.id = r.flow
         WHERE r.seq = ?1",
    )?;
    let (first, last) = chunk_ids(seq);
    let mut rows = statement.query([seq, first, last])?;
    let Some(row) = rows.next()? else {
        return Err(Error::Corrupt(format!("the queued run {seq} is not there")));
    };
    let chain: Option<String> = row.get(6)?;
    let turn: Option<String> = row.get(15)?;
    let run = NewRun {
        id: run_id(row.get(0)?)?,
        workspace: columns::text(row.get_ref(1)?.as_str().unwrap_or_default())?,
        flow: columns::text(row.get_ref(2)?.as_str().unwrap_or_default())?,
        deployment: DeploymentId(row.get(3)?),
        trigger: columns::from_json(row.get_ref(4)?.as_str().unwrap_or_default())?,
        inputs: row.get(5)?,
        chain: chain.as_deref().map(columns::from_json).transpose()?.unwrap_or_default(),
        queued_at: Timestamp(row.get(7)?),
        deadline: row.get::<_, Option<i64>>(13)?.map(Timestamp),
        turn: turn.as_deref().map(columns::from_json).transpose()?.unwrap_or_default(),
    };
    Ok(Claim {
        run,
        epoch,
        attempt: row.get(8)?,
        next_chunk: row.get::<_, Option<u32>>(12)?.unwrap_or(0).saturating_add(1),
        lost_cells: row.get(9)?,
        recovered: row.get(14)?,
        note: false,
        active_us: row.get(10)?,
        started_at: row.get::<_, Option<i64>>(11)?.map(Timestamp),
    })
}

//! What a claimed run adds to its record while it goes on.

use rusqlite::params;
use signalbox_core::RunId;
use signalbox_core::clock::Timestamp;
use signalbox_core::journal::{Chunk, Entry, FORMAT, Outcome};
use signalbox_core::run::State;

use super::effects;
use super::journal;
use super::live::Claimed;
use super::settle;
use super::tx::Tx;
use crate::contract::{Error, Internal, MAX_CHUNKS, Written};

/// A write that must come from who has the claim: the claim, or the answer when it is another's.
pub(super) fn fence(
    tx: &Tx<'_>,
    run: &RunId,
    epoch: u64,
) -> Result<Result<Claimed, Written>, Error> {
    match tx.claimed(run) {
        Some(claimed) if claimed.epoch == epoch => Ok(Ok(claimed)),
        Some(_) => Ok(Err(Written::Fenced)),
        None => {
            let ended = settle::find(tx, run)?.is_some_and(|row| row.state.is_terminal());
            Ok(Err(if ended { Written::Rejected } else { Written::Fenced }))
        }
    }
}

/// The state that a claimed run has in its row.
pub(super) fn row_state(claimed: &Claimed) -> State {
    if claimed.durable { State::Running } else { State::Queued }
}

/// [`crate::contract::Write::Append`].
pub(super) struct Append {
    pub(super) run: RunId,
    pub(super) epoch: u64,
    pub(super) number: u32,
    pub(super) started_at: Timestamp,
    pub(super) chunk: Chunk,
    pub(super) internal: Option<Box<Internal>>,
}

/// Adds a chunk and performs its internal effect.
pub(super) fn append(tx: &mut Tx<'_>, append: Append) -> Result<Written, Error> {
    let Append { run, epoch, number, started_at, mut chunk, internal } = append;
    let mut claimed = match fence(tx, &run, epoch)? {
        Ok(claimed) if claimed.next_chunk == number => claimed,
        Ok(_) => return Ok(Written::Fenced),
        Err(answer) => return Ok(answer),
    };
    let outcome = match internal {
        None => None,
        Some(internal) => {
            let Internal { key, kind, fingerprint, at, effect } = *internal;
            let outcome = effects::perform(tx, claimed.seq, &key, effect)?;
            claimed.waited |= outcome == Outcome::Pending;
            let entry = Entry { key, kind, fingerprint, outcome: outcome.clone(), at };
            chunk.entries.push(entry);
            Some(outcome)
        }
    };
    insert_chunk(tx, claimed.seq, number, &chunk)?;
    if claimed.recovered > 0 && !chunk.is_empty() {
        // It comes further than it did: what died before did not die of it.
        tx.connection
            .prepare_cached("UPDATE runs SET recovered = 0 WHERE seq = ?")?
            .execute([claimed.seq])?;
        claimed.recovered = 0;
    }
    if !claimed.durable {
        tx.connection
            .prepare_cached(
                "UPDATE runs SET state = 1, started_at = coalesce(started_at, ?) WHERE seq = ?",
            )?
            .execute(params![started_at.0, claimed.seq])?;
        let workspace = tx.workspace(&claimed.workspace)?;
        tx.count(workspace, Some(State::Queued), Some(State::Running));
        claimed.durable = true;
    }
    claimed.next_chunk = number.saturating_add(1);
    tx.set_claim(run, Some(claimed));
    Ok(Written::Done(outcome))
}

/// Writes a chunk's row.
pub(super) fn insert_chunk(tx: &Tx<'_>, seq: i64, number: u32, chunk: &Chunk) -> Result<(), Error> {
    // Beyond it are the chunks of the next run.
    if number >= MAX_CHUNKS {
        return Err(Error::Corrupt(format!("chunk {number} of one run")));
    }
    let (first, _) = journal::chunk_ids(seq);
    tx.connection
        .prepare_cached("INSERT INTO chunks (id, body, format) VALUES (?, ?, ?)")?
        .execute(params![first + i64::from(number), postcard::to_stdvec(chunk)?, FORMAT])?;
    Ok(())
}

//! How the domain's types stand in columns.

use rusqlite::Row;
use serde::Serialize;
use serde::de::DeserializeOwned;
use signalbox_core::journal::Key;
use signalbox_core::run::State;
use signalbox_core::{Digest, RunId};
use uuid::Uuid;

use crate::contract::Error;

/// The number of a state in the schema.
pub(super) fn state_number(state: State) -> i64 {
    match state {
        State::Queued => 0,
        State::Running => 1,
        State::Suspended => 2,
        State::Succeeded => 3,
        State::Failed => 4,
        State::Cancelled => 5,
        State::Skipped => 6,
    }
}

/// The state behind a number.
pub(super) fn state(number: i64) -> Result<State, Error> {
    let known = State::ALL.into_iter().find(|state| state_number(*state) == number);
    known.ok_or_else(|| Error::Corrupt(format!("{number} is not a state")))
}

/// The 16 bytes of a run's id.
pub(super) fn id_bytes(id: &RunId) -> Result<[u8; 16], Error> {
    // A RunId was checked when it was made.
    Uuid::try_parse(id.as_str())
        .map(Uuid::into_bytes)
        .map_err(|error| Error::Corrupt(format!("{id} is not a run id: {error}")))
}

/// The run's id in 16 bytes.
pub(super) fn run_id(bytes: [u8; 16]) -> Result<RunId, Error> {
    text(Uuid::from_bytes(bytes).hyphenated().encode_lower(&mut Uuid::encode_buffer()))
}

/// A text that must have the shape of a name, an id or a word of a closed list.
pub(super) fn text<T: std::str::FromStr<Err: std::fmt::Display>>(text: &str) -> Result<T, Error> {
    text.parse().map_err(|error: T::Err| Error::Corrupt(error.to_string()))
}

/// A digest from its 32 bytes.
pub(super) fn digest(bytes: [u8; 32]) -> Digest {
    Digest(bytes)
}

/// A document for people and for types whose form describes itself.
pub(super) fn to_json<T: Serialize>(value: &T) -> Result<String, Error> {
    serde_json::to_string(value).map_err(Error::from)
}

/// Reads what [`to_json`] wrote.
pub(super) fn from_json<T: DeserializeOwned>(json: &str) -> Result<T, Error> {
    serde_json::from_str(json).map_err(Error::from)
}

/// A count or a number of SQLite's as one that is never negative.
pub(super) fn unsigned<T: TryFrom<i64>>(number: i64) -> Result<T, Error> {
    T::try_from(number).map_err(|_| Error::Corrupt(format!("{number} is out of range")))
}

/// A number as SQLite has it; those beyond its range cannot be reached.
pub(super) fn signed(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The key of an entry in three columns from `at` on; `None` when they are null.
pub(super) fn key(row: &Row<'_>, at: usize) -> rusqlite::Result<Option<Key>> {
    let scope: Option<String> = row.get(at)?;
    scope
        .map(|scope| Ok(Key { scope, attempt: row.get(at + 1)?, ordinal: row.get(at + 2)? }))
        .transpose()
}

//! The version of the data, and the way from one to the next.
//!
//! Each migration is applied once, in one transaction, and recorded with a digest of its text: a
//! migration that was edited after it was released is found out instead of assumed.

use rusqlite::{Connection, TransactionBehavior, params};
use signalbox_core::Digest;
use signalbox_core::clock::Timestamp;

use crate::contract::Error;

/// Every migration in order; the first leads from nothing to version 1. Released ones never
/// change.
const MIGRATIONS: &[&str] = &[
    include_str!("schema_1.sql"),
    include_str!("schema_2.sql"),
    include_str!("schema_3.sql"),
    include_str!("schema_4.sql"),
    include_str!("schema_5.sql"),
    include_str!("schema_6.sql"),
    include_str!("schema_7.sql"),
    include_str!("schema_8.sql"),
];

/// Newest version that is known here.
pub(super) fn known() -> u32 {
    u32::try_from(MIGRATIONS.len()).unwrap_or(u32::MAX)
}

/// Makes what the first version made.
#[cfg(test)]
pub(super) fn to_first(connection: &Connection) -> rusqlite::Result<()> {
    let script = include_str!("schema_1.sql");
    connection.execute_batch(
        "CREATE TABLE migrations (
            version INTEGER PRIMARY KEY, checksum BLOB NOT NULL, applied_at INTEGER NOT NULL)",
    )?;
    connection.execute_batch(script)?;
    let checksum = Digest::of(script.as_bytes());
    connection.execute("INSERT INTO migrations VALUES (1, ?, 0)", [checksum.0])?;
    Ok(())
}

/// Brings the data to the newest version.
///
/// # Errors
/// [`Error::Newer`] when it is beyond it already, [`Error::Corrupt`] when an applied migration is
/// not the one known here. Nothing is changed then.
pub(super) fn migrate(connection: &mut Connection, now: Timestamp) -> Result<(), Error> {
    let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    tx.execute_batch(
        "CREATE TABLE IF NOT EXISTS migrations (
            version INTEGER PRIMARY KEY, checksum BLOB NOT NULL, applied_at INTEGER NOT NULL)",
    )?;
    let applied: Vec<(u32, Vec<u8>)> = tx
        .prepare("SELECT version, checksum FROM migrations ORDER BY version")?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    if let Some((found, _)) = applied.last().filter(|(version, _)| *version > known()) {
        return Err(Error::Newer { found: *found, known: known() });
    }
    for (index, script) in MIGRATIONS.iter().enumerate() {
        let checksum = Digest::of(script.as_bytes());
        match applied.get(index) {
            Some((_, recorded)) if recorded.as_slice() == checksum.0.as_slice() => {}
            Some((version, _)) => {
                return Err(Error::Corrupt(format!(
                    "version {version} was made by another migration than the one known here"
                )));
            }
            None => {
                tx.execute_batch(script)?;
                tx.execute(
                    "INSERT INTO migrations VALUES (?, ?, ?)",
                    params![i64::try_from(index + 1).unwrap_or(i64::MAX), checksum.0, now.0],
                )?;
            }
        }
    }
    tx.commit()?;
    Ok(())
}

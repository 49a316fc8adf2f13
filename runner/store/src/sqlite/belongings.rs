//! What belongs to one workspace, and the runner's own settings: small values by name.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Connection, OptionalExtension as _, params};
use signalbox_core::clock::Timestamp;
use signalbox_core::value::decode;
use signalbox_core::{Value, WorkspaceName};

use super::columns::signed;
use super::names::find_workspace;
use super::tx::Tx;
use crate::contract::Error;

/// A value of the state.
pub(super) fn state(
    connection: &Connection,
    workspace: &WorkspaceName,
    name: &str,
) -> Result<Option<Value>, Error> {
    let Some(workspace) = find_workspace(connection, workspace)? else { return Ok(None) };
    let bytes: Option<Vec<u8>> = connection
        .prepare_cached("SELECT value FROM state WHERE workspace = ? AND name = ?")?
        .query_row(params![workspace, name], |row| row.get(0))
        .optional()?;
    let value = bytes.as_deref().map(decode).transpose();
    value.map_err(|error| Error::Corrupt(format!("state `{name}`: {error}")))
}

/// Names of the state from `prefix` on that start with it.
pub(super) fn state_names(
    connection: &Connection,
    workspace: &WorkspaceName,
    prefix: &str,
    limit: usize,
) -> Result<Vec<String>, Error> {
    let Some(workspace) = find_workspace(connection, workspace)? else { return Ok(Vec::new()) };
    let mut names = Vec::new();
    let mut statement = connection.prepare_cached(
        "SELECT name FROM state WHERE workspace = ? AND name >= ? ORDER BY name LIMIT ?",
    )?;
    let mut rows = statement.query(params![workspace, prefix, signed(limit)])?;
    while let Some(row) = rows.next()? {
        let name: String = row.get(0)?;
        if !name.starts_with(prefix) {
            break;
        }
        names.push(name);
    }
    Ok(names)
}

/// The sealed values of those of some secrets that are set, of one moment.
pub(super) fn sealed(
    connection: &Connection,
    workspace: &WorkspaceName,
    names: &BTreeSet<String>,
) -> Result<BTreeMap<String, Vec<u8>>, Error> {
    let Some(workspace) = find_workspace(connection, workspace)? else {
        return Ok(BTreeMap::new());
    };
    let mut sealed = BTreeMap::new();
    let mut statement =
        connection.prepare_cached("SELECT name, sealed FROM secrets WHERE workspace = ?")?;
    let mut rows = statement.query([workspace])?;
    while let Some(row) = rows.next()? {
        let name: String = row.get(0)?;
        if names.contains(&name) {
            sealed.insert(name, row.get(1)?);
        }
    }
    Ok(sealed)
}

/// Names of the secrets with the time they were set.
pub(super) fn secrets(
    connection: &Connection,
    workspace: &WorkspaceName,
) -> Result<Vec<(String, Timestamp)>, Error> {
    let Some(workspace) = find_workspace(connection, workspace)? else { return Ok(Vec::new()) };
    let mut statement = connection
        .prepare_cached("SELECT name, at FROM secrets WHERE workspace = ? ORDER BY name")?;
    let rows = statement.query_map([workspace], |row| Ok((row.get(0)?, Timestamp(row.get(1)?))))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Stores a sealed secret.
pub(super) fn set_secret(
    tx: &mut Tx<'_>,
    workspace: &WorkspaceName,
    name: &str,
    sealed: &[u8],
    at: Timestamp,
) -> Result<(), Error> {
    let workspace = tx.workspace(workspace)?;
    tx.connection
        .prepare_cached("INSERT OR REPLACE INTO secrets VALUES (?, ?, ?, ?)")?
        .execute(params![workspace, name, sealed, at.0])?;
    Ok(())
}

/// Forgets a secret.
pub(super) fn delete_secret(
    tx: &mut Tx<'_>,
    workspace: &WorkspaceName,
    name: &str,
) -> Result<bool, Error> {
    let Some(workspace) = find_workspace(tx.connection, workspace)? else { return Ok(false) };
    let deleted = tx
        .connection
        .prepare_cached("DELETE FROM secrets WHERE workspace = ? AND name = ?")?
        .execute(params![workspace, name])?;
    Ok(deleted == 1)
}

/// A setting of the runner.
pub(super) fn setting(connection: &Connection, key: &str) -> Result<Option<String>, Error> {
    Ok(connection
        .prepare_cached("SELECT value FROM settings WHERE key = ?")?
        .query_row([key], |row| row.get(0))
        .optional()?)
}

/// Stores a setting.
pub(super) fn set_setting(tx: &mut Tx<'_>, key: &str, value: &str) -> Result<(), Error> {
    tx.connection
        .prepare_cached("INSERT OR REPLACE INTO settings VALUES (?, ?)")?
        .execute([key, value])?;
    Ok(())
}

//! Names as integers, with a cache, so that a run costs no look-up of its names.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension as _, params};
use signalbox_core::{FlowName, WorkspaceName};

use crate::contract::Error;

/// More pairs than this are not remembered: the cache starts over.
const MOST: usize = 100_000;

/// What the writer knows of the tables of names.
#[derive(Debug, Default)]
pub(super) struct Names {
    workspaces: HashMap<WorkspaceName, i64>,
    flows: HashMap<(i64, FlowName), i64>,
}

impl Names {
    /// Forgets everything: what was made in a transaction that failed is not there.
    pub(super) fn clear(&mut self) {
        self.workspaces.clear();
        self.flows.clear();
    }

    /// The number of a workspace, made if it has none.
    pub(super) fn workspace(
        &mut self,
        connection: &Connection,
        name: &WorkspaceName,
    ) -> Result<i64, Error> {
        if let Some(id) = self.workspaces.get(name) {
            return Ok(*id);
        }
        let id = match find_workspace(connection, name)? {
            Some(id) => id,
            None => connection
                .prepare_cached("INSERT INTO workspaces (name) VALUES (?)")?
                .insert([name.as_str()])?,
        };
        self.workspaces.insert(name.clone(), id);
        Ok(id)
    }

    /// The number of a flow, made if it has none.
    pub(super) fn flow(
        &mut self,
        connection: &Connection,
        workspace: i64,
        name: &FlowName,
    ) -> Result<i64, Error> {
        let key = (workspace, name.clone());
        if let Some(id) = self.flows.get(&key) {
            return Ok(*id);
        }
        if self.flows.len() >= MOST {
            self.flows.clear();
        }
        let id = match find_flow(connection, workspace, name)? {
            Some(id) => id,
            None => connection
                .prepare_cached("INSERT INTO flows (workspace, name) VALUES (?, ?)")?
                .insert(params![workspace, name.as_str()])?,
        };
        self.flows.insert(key, id);
        Ok(id)
    }
}

/// The number of a workspace, if it has one.
pub(super) fn find_workspace(
    connection: &Connection,
    name: &WorkspaceName,
) -> Result<Option<i64>, Error> {
    Ok(connection
        .prepare_cached("SELECT id FROM workspaces WHERE name = ?")?
        .query_row([name.as_str()], |row| row.get(0))
        .optional()?)
}

/// The number of a flow, if it has one.
pub(super) fn find_flow(
    connection: &Connection,
    workspace: i64,
    name: &FlowName,
) -> Result<Option<i64>, Error> {
    Ok(connection
        .prepare_cached("SELECT id FROM flows WHERE workspace = ? AND name = ?")?
        .query_row(params![workspace, name.as_str()], |row| row.get(0))
        .optional()?)
}

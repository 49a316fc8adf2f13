//! Deployments, files and slots as they are read.

use std::collections::HashMap;
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension as _, Row, params};
use signalbox_core::catalog::Workspace;
use signalbox_core::clock::Timestamp;
use signalbox_core::{DeploymentId, Digest, FlowName, WorkspaceName};

use super::columns::{self, digest};
use super::names::find_workspace;
use super::run_views::MOST;
use crate::contract::{Deployment, DeploymentOutcome, Error, LiveWorkspace, NewDeployment};

const SELECT: &str = "SELECT d.id, w.name, d.source, d.revision, d.tree, d.identity, d.contracts,
        d.outcome, d.author, d.hint, d.hint_to_live_ms, d.started_at, d.ended_at, d.pin, d.flows,
        d.diagnostics, d.spec
     FROM deployments AS d JOIN workspaces AS w ON w.id = d.workspace";

fn deployment_of(row: &Row<'_>) -> Result<Deployment, Error> {
    let text = |column: usize| -> Result<&str, Error> {
        Ok(row.get_ref(column)?.as_str().unwrap_or_default())
    };
    let outcome = text(7)?;
    let flows: (Vec<FlowName>, Vec<FlowName>, Vec<FlowName>) = columns::from_json(text(14)?)?;
    let spec: Option<String> = row.get(16)?;
    let spec: Option<Workspace> = spec.as_deref().map(columns::from_json).transpose()?;
    let new = NewDeployment {
        workspace: columns::text(text(1)?)?,
        source: row.get(2)?,
        revision: columns::text(text(3)?)?,
        tree: row.get(4)?,
        identity: digest(row.get(5)?),
        contracts: digest(row.get(6)?),
        outcome: DeploymentOutcome::ALL
            .into_iter()
            .find(|known| known.as_str() == outcome)
            .ok_or_else(|| Error::Corrupt(format!("`{outcome}` is not an outcome")))?,
        spec: spec.map(Arc::new),
        diagnostics: columns::from_json(text(15)?)?,
        author: row.get(8)?,
        added: flows.0,
        changed: flows.1,
        removed: flows.2,
        hint: row.get(9)?,
        hint_to_live_ms: row.get(10)?,
        started_at: Timestamp(row.get(11)?),
        ended_at: Timestamp(row.get(12)?),
        pin: row.get(13)?,
    };
    Ok(Deployment { id: DeploymentId(row.get(0)?), new })
}

/// A deployment whole.
pub(super) fn deployment(connection: &Connection, id: DeploymentId) -> Result<Deployment, Error> {
    let mut statement = connection.prepare_cached(&format!("{SELECT} WHERE d.id = ?"))?;
    let mut rows = statement.query([id.0])?;
    match rows.next()? {
        Some(row) => deployment_of(row),
        None => Err(Error::NotFound(format!("deployment {id}"))),
    }
}

/// Deployments of a workspace, newest first.
pub(super) fn deployments(
    connection: &Connection,
    workspace: &WorkspaceName,
    limit: usize,
    before: Option<DeploymentId>,
) -> Result<Vec<Deployment>, Error> {
    let Some(workspace) = find_workspace(connection, workspace)? else { return Ok(Vec::new()) };
    let mut statement = connection.prepare_cached(&format!(
        "{SELECT} WHERE d.workspace = ? AND d.id < ? ORDER BY d.id DESC LIMIT ?"
    ))?;
    let before = before.map_or(i64::MAX, |id| id.0);
    let limit = columns::signed(limit.clamp(1, MOST));
    let mut rows = statement.query(params![workspace, before, limit])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(deployment_of(row)?);
    }
    Ok(found)
}

/// What is live.
pub(super) fn live(connection: &Connection) -> Result<Vec<LiveWorkspace>, Error> {
    let mut statement = connection.prepare_cached(
        "SELECT d.id, d.spec, w.pinned, w.created_at, w.updated_at, w.paused_at
         FROM workspaces AS w JOIN deployments AS d ON d.id = w.live ORDER BY w.name",
    )?;
    let mut rows = statement.query([])?;
    let mut live = Vec::new();
    while let Some(row) = rows.next()? {
        let spec = row.get_ref(1)?.as_str().unwrap_or_default();
        live.push(LiveWorkspace {
            deployment: DeploymentId(row.get(0)?),
            spec: Arc::new(columns::from_json(spec)?),
            pinned: row.get(2)?,
            created_at: Timestamp(row.get(3)?),
            updated_at: Timestamp(row.get(4)?),
            paused_at: row.get::<_, Option<i64>>(5)?.map(Timestamp),
        });
    }
    Ok(live)
}

/// The content of a file.
pub(super) fn blob(connection: &Connection, digest: Digest) -> Result<Vec<u8>, Error> {
    let content = connection
        .prepare_cached("SELECT content FROM blobs WHERE digest = ?")?
        .query_row([digest.0], |row| row.get(0))
        .optional()?;
    content.ok_or_else(|| Error::NotFound(format!("the content of file {digest}")))
}

/// Which digests are stored.
pub(super) fn known_blobs(
    connection: &Connection,
    mut digests: Vec<Digest>,
) -> Result<Vec<Digest>, Error> {
    let mut statement = connection.prepare_cached("SELECT 1 FROM blobs WHERE digest = ?")?;
    let mut known = HashMap::new();
    for digest in &digests {
        known.insert(*digest, statement.exists([digest.0])?);
    }
    digests.retain(|digest| known.get(digest) == Some(&true));
    Ok(digests)
}

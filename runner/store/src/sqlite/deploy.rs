//! Deployments and what is live.

use std::collections::BTreeSet;

use rusqlite::{OptionalExtension as _, params};
use signalbox_core::catalog::Workspace;
use signalbox_core::clock::Timestamp;
use signalbox_core::{DeploymentId, Digest, WorkspaceName};

use super::aftermath;
use super::columns::to_json;
use super::tx::Tx;
use super::{alarms, schedules};
use crate::contract::{Blob, DeploymentOutcome, Error, NewDeployment};

/// Records deployments with the content of their files, and makes those live that say so.
///
/// # Errors
/// [`Error::NotFound`] when one goes live without its workspace, or with a file whose content is
/// neither given nor stored: it could not be run.
pub(super) fn deploy(
    tx: &mut Tx<'_>,
    batch: &[NewDeployment],
    blobs: &[Blob],
) -> Result<Vec<DeploymentId>, Error> {
    for blob in blobs {
        tx.connection
            .prepare_cached("INSERT OR IGNORE INTO blobs (digest, content) VALUES (?, ?)")?
            .execute(params![blob.digest.0, &*blob.content])?;
    }
    batch.iter().map(|new| record(tx, new)).collect()
}

fn goes_live(outcome: DeploymentOutcome) -> bool {
    match outcome {
        DeploymentOutcome::Deployed | DeploymentOutcome::RolledBack => true,
        DeploymentOutcome::Unchanged
        | DeploymentOutcome::Rejected
        | DeploymentOutcome::Superseded
        | DeploymentOutcome::Held => false,
    }
}

fn record(tx: &mut Tx<'_>, new: &NewDeployment) -> Result<DeploymentId, Error> {
    let workspace = tx.workspace(&new.workspace)?;
    let id = insert(tx, workspace, new)?;
    tx.know_deployment(id, true);
    if let Some(spec) = &new.spec {
        let mut file =
            tx.connection.prepare_cached("INSERT INTO deployment_files VALUES (?, ?, ?)")?;
        for (path, digest) in &spec.sources {
            file.execute(params![id, path, digest.0])?;
        }
    }
    if goes_live(new.outcome) {
        let missing = || Error::NotFound(format!("the workspace of {id}, which goes live"));
        let spec = new.spec.as_deref().ok_or_else(missing)?;
        require_files(tx, spec)?;
        let before = live(tx, workspace)?;
        make_live(tx, workspace, id, new)?;
        aftermath::forget_recoveries(tx, workspace, before, spec)?;
        schedules::baselines(tx, spec, new)?;
        alarms::expect(tx, spec, new)?;
    }
    Ok(DeploymentId(id))
}

fn insert(tx: &Tx<'_>, workspace: i64, new: &NewDeployment) -> Result<i64, Error> {
    let spec = new.spec.as_deref().map(to_json).transpose()?;
    Ok(tx
        .connection
        .prepare_cached(
            "INSERT INTO deployments (workspace, source, revision, tree, identity, contracts,
                 outcome, author, hint, hint_to_live_ms, started_at, ended_at, pin, flows,
                 diagnostics, spec)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )?
        .insert(params![
            workspace,
            new.source,
            new.revision.as_str(),
            new.tree,
            new.identity.0,
            new.contracts.0,
            new.outcome.as_str(),
            new.author,
            new.hint,
            new.hint_to_live_ms,
            new.started_at.0,
            new.ended_at.0,
            new.pin,
            to_json(&(&new.added, &new.changed, &new.removed))?,
            to_json(&new.diagnostics)?,
            spec,
        ])?)
}

fn require_files(tx: &Tx<'_>, spec: &Workspace) -> Result<(), Error> {
    let wanted: BTreeSet<&Digest> = spec.sources.values().collect();
    let mut known = tx.connection.prepare_cached("SELECT 1 FROM blobs WHERE digest = ?")?;
    for digest in wanted {
        if !known.exists([digest.0])? {
            return Err(Error::NotFound(format!("the content of file {digest}")));
        }
    }
    Ok(())
}

/// The deployment that is live.
fn live(tx: &Tx<'_>, workspace: i64) -> Result<Option<i64>, Error> {
    let sql = "SELECT live FROM workspaces WHERE id = ?";
    Ok(tx.connection.prepare_cached(sql)?.query_row([workspace], |row| row.get(0))?)
}

fn make_live(tx: &Tx<'_>, workspace: i64, id: i64, new: &NewDeployment) -> Result<(), Error> {
    let at = new.ended_at.0;
    tx.connection
        .prepare_cached(
            "UPDATE workspaces SET live = ?, pinned = pinned OR ?, updated_at = ?,
                                   created_at = coalesce(created_at, ?)
             WHERE id = ?",
        )?
        .execute(params![id, new.pin, at, at, workspace])?;
    Ok(())
}

/// Pins a live workspace, or lets it go.
pub(super) fn set_pinned(
    tx: &mut Tx<'_>,
    workspace: &WorkspaceName,
    pinned: bool,
) -> Result<(), Error> {
    let changed = tx
        .connection
        .prepare_cached("UPDATE workspaces SET pinned = ? WHERE name = ? AND live IS NOT NULL")?
        .execute(params![pinned, workspace.as_str()])?;
    if changed == 1 { Ok(()) } else { Err(not_live(workspace)) }
}

/// Takes a workspace out of service.
pub(super) fn retire(
    tx: &mut Tx<'_>,
    workspace: &WorkspaceName,
    now: Timestamp,
) -> Result<(), Error> {
    let live: Option<i64> = tx
        .connection
        .prepare_cached(
            "UPDATE workspaces SET live = NULL, pinned = 0, updated_at = ?
             WHERE name = ? AND live IS NOT NULL RETURNING id",
        )?
        .query_row(params![now.0, workspace.as_str()], |row| row.get(0))
        .optional()?;
    alarms::forget(tx, live.ok_or_else(|| not_live(workspace))?)
}

fn not_live(workspace: &WorkspaceName) -> Error {
    Error::NotFound(format!("workspace {workspace} among those that are live"))
}

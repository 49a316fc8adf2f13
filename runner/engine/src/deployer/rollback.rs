//! Back to an earlier deployment, and forth again.

use std::collections::BTreeMap;
use std::sync::Arc;

use signalbox_core::codes::Code;
use signalbox_core::{DeploymentId, WorkspaceName};
use signalbox_store::contract::{Deployment, DeploymentOutcome, NewDeployment};
use signalbox_sync::hints::HintKind;
use signalbox_workspaces::contract::{self, Candidate};
use signalbox_workspaces::plan;

use super::service::swap;
use crate::live::{Live, LiveInfo};
use crate::options::Error;
use crate::outcome::{self, Outcome};
use crate::shared::Shared;

/// How far back the deployment before the live one is looked for.
const LOOK_BACK: usize = 1_000;

/// Makes an earlier deployment live and pins the workspace to it. It passes the same check as a
/// push.
pub(crate) async fn rollback(
    shared: &Shared,
    workspace: &WorkspaceName,
    to: Option<DeploymentId>,
) -> Result<Outcome, Error> {
    let mut memory = shared.desk.memory.lock().await;
    let live = shared.live.load_full();
    let started_at = shared.clock.now();
    let target = find(shared, &live, workspace, to).await?;
    let Some(spec) = target.new.spec.clone() else {
        let message = format!("deployment {} was never live", target.id);
        return Err(Error::refused(Code::Conflict, message));
    };
    let candidates = live.catalog.workspaces.iter().map(|(name, current)| {
        let new = if name == workspace { &spec } else { current };
        let (new, live) = (Some(Arc::clone(new)), Some(Arc::clone(current)));
        (name.clone(), Candidate { new, live })
    });
    let verdict = contract::check(&candidates.collect(), true);
    if let Some(faults) = verdict.rejected.get(workspace) {
        let all: Vec<_> = faults.iter().map(|fault| fault.message.as_str()).collect();
        let message = format!("deployment {} would break: {}", target.id, all.join("; "));
        return Err(Error::refused(Code::Conflict, message));
    }
    let before = live.catalog.workspaces.get(workspace);
    let changes = plan::changes(before.map(AsRef::as_ref), Some(&spec));
    let ended_at = shared.clock.now();
    memory.contracts.update(&verdict.live);
    let new = NewDeployment {
        contracts: memory.contracts.around(workspace),
        outcome: DeploymentOutcome::RolledBack,
        diagnostics: Vec::new(),
        added: changes.added,
        changed: changes.changed,
        removed: changes.removed,
        hint: HintKind::Api.as_str().to_owned(),
        hint_to_live_ms: None,
        started_at,
        ended_at,
        pin: true,
        ..target.new
    };
    let missing = || Error::refused(Code::Internal, "the store gave no number");
    let ids = shared.store.deploy(vec![new.clone()], Vec::new()).await?;
    let id = ids.first().copied().ok_or_else(missing)?;
    let done = outcome::of(&Deployment { id, new });
    let mut next = Live::clone(&live);
    let created_at = next.info.get(workspace).map_or(ended_at, |info| info.created_at);
    let paused_at = next.info.get(workspace).and_then(|info| info.paused_at);
    let info =
        LiveInfo { deployment: id, pinned: true, created_at, updated_at: ended_at, paused_at };
    shared.revisions.insert(id, Arc::clone(&spec));
    next.info.insert(workspace.clone(), info);
    next.catalog.workspaces.insert(workspace.clone(), spec);
    next.last.insert(workspace.clone(), done.clone());
    swap(shared, next, &BTreeMap::from([(workspace.clone(), done.clone())]));
    // Others may have been rejected because of what was live until now.
    memory.forget_seen();
    Ok(done)
}

/// The deployment that is named, or the last one before the live one that was something else.
async fn find(
    shared: &Shared,
    live: &Live,
    workspace: &WorkspaceName,
    to: Option<DeploymentId>,
) -> Result<Deployment, Error> {
    let Some((spec, info)) = live.find(workspace) else {
        let message = format!("workspace `{workspace}` is not live");
        return Err(Error::refused(Code::UnknownWorkspace, message));
    };
    if let Some(id) = to {
        let found = shared.store.deployment(id).await?;
        if found.new.workspace == *workspace {
            return Ok(found);
        }
        let message = format!("deployment {id} is of `{}`", found.new.workspace);
        return Err(Error::refused(Code::NotFound, message));
    }
    let earlier = shared.store.deployments(workspace, LOOK_BACK, Some(info.deployment)).await?;
    let was_live =
        |found: &Deployment| found.new.spec.is_some() && found.new.identity != spec.identity();
    earlier.into_iter().find(was_live).ok_or_else(|| {
        Error::refused(Code::NotFound, format!("`{workspace}` has no earlier deployment"))
    })
}

/// Lets a pinned workspace follow the source again.
pub(crate) async fn unpin(shared: &Shared, workspace: &WorkspaceName) -> Result<(), Error> {
    let mut memory = shared.desk.memory.lock().await;
    let mut live = Live::clone(&shared.live.load());
    let Some(info) = live.info.get_mut(workspace) else {
        let message = format!("workspace `{workspace}` is not live");
        return Err(Error::refused(Code::UnknownWorkspace, message));
    };
    shared.store.set_pinned(workspace, false).await?;
    info.pinned = false;
    swap(shared, live, &BTreeMap::new());
    memory.forget_seen();
    shared.desk.hint(HintKind::Api, shared.clock.now());
    Ok(())
}

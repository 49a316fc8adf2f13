//! What a look at the source came to.

use std::time::Instant;

use signalbox_core::clock::Timestamp;
use signalbox_core::diagnostic::Diagnostic;
use signalbox_core::{DeploymentId, FlowName, Revision, WorkspaceName};
use signalbox_store::contract::{Deployment, DeploymentOutcome};

/// What a look at the source came to.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SyncReport {
    /// The commit that was looked at; `None` when there was none to be had.
    pub revision: Option<Revision>,
    /// Faults of the root manifest or the source.
    pub root_faults: Vec<Diagnostic>,
    /// The outcome of every workspace, by name.
    pub workspaces: Vec<Outcome>,
}

impl SyncReport {
    /// Whether every workspace is live at what was wanted.
    pub fn is_good(&self) -> bool {
        self.root_faults.is_empty() && self.workspaces.iter().all(Outcome::is_good)
    }
}

/// What became of one workspace.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// The workspace.
    pub workspace: WorkspaceName,
    /// The deployment that was recorded, or the live one when nothing was to be done.
    pub deployment: Option<DeploymentId>,
    /// The commit that was wanted.
    pub commit: Revision,
    /// The workspace's tree at it; empty when it could not be found.
    pub tree: String,
    /// What became of it.
    pub outcome: DeploymentOutcome,
    /// Every fault, warnings included.
    pub diagnostics: Vec<Diagnostic>,
    /// When work on it began.
    pub started_at: Timestamp,
    /// When it was decided.
    pub ended_at: Timestamp,
    /// Author of the commit.
    pub author: String,
    /// Flows that are new.
    pub added: Vec<FlowName>,
    /// Flows that changed.
    pub changed: Vec<FlowName>,
    /// Flows that are gone.
    pub removed: Vec<FlowName>,
    /// What told the runner to look.
    pub hint: String,
    /// From the hint to being live, in milliseconds.
    pub hint_to_live_ms: Option<f64>,
}

impl Outcome {
    /// Whether the workspace is live at what was wanted.
    pub fn is_good(&self) -> bool {
        match self.outcome {
            DeploymentOutcome::Deployed
            | DeploymentOutcome::Unchanged
            | DeploymentOutcome::RolledBack => true,
            DeploymentOutcome::Rejected
            | DeploymentOutcome::Superseded
            | DeploymentOutcome::Held => false,
        }
    }
}

/// The outcome that a recorded deployment was.
pub(crate) fn of(deployment: &Deployment) -> Outcome {
    let new = &deployment.new;
    Outcome {
        workspace: new.workspace.clone(),
        deployment: Some(deployment.id),
        commit: new.revision.clone(),
        tree: new.tree.clone(),
        outcome: new.outcome,
        diagnostics: new.diagnostics.clone(),
        started_at: new.started_at,
        ended_at: new.ended_at,
        author: new.author.clone(),
        added: new.added.clone(),
        changed: new.changed.clone(),
        removed: new.removed.clone(),
        hint: new.hint.clone(),
        hint_to_live_ms: new.hint_to_live_ms,
    }
}

/// Milliseconds since a moment, with their fraction.
pub(crate) fn since_ms(received: Instant) -> f64 {
    received.elapsed().as_secs_f64() * 1_000.0
}

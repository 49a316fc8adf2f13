//! What became of bringing a workspace to a revision.

use serde::Serialize;
use signalbox_core::FlowName;
use signalbox_core::diagnostic::Diagnostic;
use signalbox_engine::Outcome;
use signalbox_store::contract::Deployment;
use utoipa::ToSchema;

/// The outcome of a deployment.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = DeploymentOutcome)]
pub(crate) struct OutcomeJson {
    workspace: String,
    /// The deployment that was recorded, or the live one when nothing was to be done; `d` and a
    /// number.
    deployment: Option<String>,
    /// The commit that was wanted.
    commit: String,
    /// The workspace's tree at that commit; empty when it could not be found.
    tree: String,
    /// `deployed`, `unchanged`, `rejected`, `superseded`, `held` or `rolled_back`.
    outcome: &'static str,
    /// Every fault of every file: `code, severity, message, file, line, column, help`.
    #[schema(value_type = Vec<Object>)]
    diagnostics: Vec<serde_json::Value>,
    started_at: String,
    ended_at: String,
    /// Author of the commit.
    author: String,
    /// Flows that are new.
    added: Vec<String>,
    /// Flows that changed.
    changed: Vec<String>,
    /// Flows that are gone.
    removed: Vec<String>,
    /// What told the runner to look: `start`, `poll`, `api`, `cli`, `action`, ...
    hint: String,
    hint_to_live_ms: Option<f64>,
}

fn names(flows: &[FlowName]) -> Vec<String> {
    flows.iter().map(ToString::to_string).collect()
}

impl From<&Outcome> for OutcomeJson {
    fn from(outcome: &Outcome) -> Self {
        Self {
            workspace: outcome.workspace.to_string(),
            deployment: outcome.deployment.map(|id| id.to_string()),
            commit: outcome.commit.to_string(),
            tree: outcome.tree.clone(),
            outcome: outcome.outcome.as_str(),
            diagnostics: outcome.diagnostics.iter().map(Diagnostic::to_json).collect(),
            started_at: outcome.started_at.to_string(),
            ended_at: outcome.ended_at.to_string(),
            author: outcome.author.clone(),
            added: names(&outcome.added),
            changed: names(&outcome.changed),
            removed: names(&outcome.removed),
            hint: outcome.hint.clone(),
            hint_to_live_ms: outcome.hint_to_live_ms,
        }
    }
}

impl From<&Deployment> for OutcomeJson {
    fn from(deployment: &Deployment) -> Self {
        let new = &deployment.new;
        Self {
            workspace: new.workspace.to_string(),
            deployment: Some(deployment.id.to_string()),
            commit: new.revision.to_string(),
            tree: new.tree.clone(),
            outcome: new.outcome.as_str(),
            diagnostics: new.diagnostics.iter().map(Diagnostic::to_json).collect(),
            started_at: new.started_at.to_string(),
            ended_at: new.ended_at.to_string(),
            author: new.author.clone(),
            added: names(&new.added),
            changed: names(&new.changed),
            removed: names(&new.removed),
            hint: new.hint.clone(),
            hint_to_live_ms: new.hint_to_live_ms,
        }
    }
}

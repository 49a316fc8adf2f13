//! What runs and waits in a workspace.

use serde::Serialize;
use signalbox_core::catalog::Limits;
use signalbox_store::contract::{KeyView, QueueView};
use utoipa::ToSchema;

use super::run::RunJson;

/// What runs and waits in a workspace.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Queue)]
pub(crate) struct QueueJson {
    workspace: String,
    /// How many runs are evaluated or about to be.
    running: usize,
    /// Most runs that are evaluated side by side: the workspace's `concurrency`.
    concurrency: u32,
    /// How many wait, whatever for.
    queued: usize,
    /// How many of those wait for a place only, and neither for their key nor for their debounce.
    ready: usize,
    /// Most that may wait: the workspace's `queue`.
    queue: u32,
    /// The first of those that run, the longest first.
    runs: Vec<RunJson>,
    /// The first of those that are ready, in the order in which they go.
    next: Vec<RunJson>,
    /// The keys that some run has or waits for.
    keys: Vec<KeyJson>,
}

/// Runs of a flow with the same key.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = QueueKey)]
pub(crate) struct KeyJson {
    flow: String,
    /// Empty when all runs of the flow share one.
    key: String,
    /// How many runs may have it.
    limit: u32,
    /// The runs that have it, the oldest first.
    holders: Vec<String>,
    /// How many wait for it.
    waiting: usize,
    /// The first of those, in the order in which they go.
    queued: Vec<String>,
}

impl QueueJson {
    /// With what the workspace may use.
    pub(crate) fn of(view: &QueueView, limits: &Limits) -> Self {
        Self {
            workspace: view.workspace.to_string(),
            running: view.running,
            concurrency: limits.concurrency,
            queued: view.queued,
            ready: view.ready,
            queue: limits.queue,
            runs: view.runs.iter().map(Into::into).collect(),
            next: view.next.iter().map(Into::into).collect(),
            keys: view.keys.iter().map(Into::into).collect(),
        }
    }
}

impl From<&KeyView> for KeyJson {
    fn from(view: &KeyView) -> Self {
        let ids = |runs: &[signalbox_core::RunId]| runs.iter().map(ToString::to_string).collect();
        Self {
            flow: view.flow.to_string(),
            key: view.key.clone(),
            limit: view.limit,
            holders: ids(&view.holders),
            waiting: view.waiting,
            queued: ids(&view.queued),
        }
    }
}

//! What is live, swapped whole.

use std::collections::BTreeMap;
use std::sync::Arc;

use signalbox_core::catalog::{Catalog, Grants, Workspace};
use signalbox_core::clock::Timestamp;
use signalbox_core::diagnostic::Diagnostic;
use signalbox_core::{DeploymentId, Revision, WorkspaceName};

use crate::outcome::Outcome;

/// Everything that is live, and what the last look at the source said.
#[derive(Debug, Clone, Default)]
pub struct Live {
    /// The live workspaces.
    pub catalog: Catalog,
    /// How each is held.
    pub info: BTreeMap<WorkspaceName, LiveInfo>,
    /// What each workspace is granted now: by the last root manifest that could be read, whatever
    /// became of the workspace itself.
    pub granted: BTreeMap<WorkspaceName, Grants>,
    /// The newest commit of the source that was looked at.
    pub head: Option<Revision>,
    /// The last outcome of every workspace that the root manifest names, live or not.
    pub last: BTreeMap<WorkspaceName, Outcome>,
    /// Faults of the root manifest or of the source itself, from the last look; empty when it
    /// could be read.
    pub root_faults: Vec<Diagnostic>,
}

/// How a live workspace is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LiveInfo {
    /// The live deployment.
    pub deployment: DeploymentId,
    /// Whether it stays there whatever is pushed.
    pub pinned: bool,
    /// When the workspace was first deployed.
    pub created_at: Timestamp,
    /// When the live deployment went live.
    pub updated_at: Timestamp,
    /// Since when its schedules are paused.
    pub paused_at: Option<Timestamp>,
}

impl Live {
    /// A live workspace with how it is held.
    pub fn find(&self, name: &WorkspaceName) -> Option<(&Arc<Workspace>, &LiveInfo)> {
        Some((self.catalog.workspaces.get(name)?, self.info.get(name)?))
    }

    /// What a workspace is granted now; nothing when it is neither granted anything nor live.
    pub fn grants(&self, name: &WorkspaceName) -> Grants {
        let live = || self.catalog.workspaces.get(name).map(|spec| &spec.grants);
        self.granted.get(name).or_else(live).cloned().unwrap_or_default()
    }

    /// Whether every workspace of the source is live at what the source wants.
    pub fn is_healthy(&self) -> bool {
        self.root_faults.is_empty() && self.last.values().all(Outcome::is_good)
    }
}

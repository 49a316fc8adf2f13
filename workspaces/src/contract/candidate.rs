//! What goes into the check: each workspace as it is and as it would be.

use std::sync::Arc;

use signalbox_core::catalog::Workspace;
use signalbox_core::diagnostic::Place;

use crate::root::{ROOT_FILE, WORKSPACE_FILE};

/// The states that a workspace can be in after a push.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Candidate {
    /// What would go live; `None` when it is going away.
    pub new: Option<Arc<Workspace>>,
    /// What is live now; the same as `new` when nothing changes.
    pub live: Option<Arc<Workspace>>,
}

impl Candidate {
    pub(super) fn is_changed(&self) -> bool {
        match (&self.new, &self.live) {
            (Some(new), Some(live)) => !Arc::ptr_eq(new, live) && new != live,
            (None, None) => false,
            _ => true,
        }
    }

    /// The workspace file of the newer state that there is.
    pub(super) fn place(&self) -> Place {
        match self.new.as_ref().or(self.live.as_ref()) {
            Some(workspace) => workspace_file(workspace),
            None => Place::file(ROOT_FILE),
        }
    }
}

/// A workspace's own file as a whole.
pub(super) fn workspace_file(workspace: &Workspace) -> Place {
    Place::file(format!("{}/{WORKSPACE_FILE}", workspace.path))
}

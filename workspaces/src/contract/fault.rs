//! What can be wrong between two workspaces.

use std::collections::BTreeMap;

use signalbox_core::diagnostic::Diagnostic;
use signalbox_core::ids::WorkspaceName;

/// Something wrong between two workspaces.
#[derive(Debug, Clone)]
pub(super) struct Fault {
    /// The one that asks: the caller.
    pub(super) owner: WorkspaceName,
    /// The one that is asked, if it is known.
    pub(super) other: Option<WorkspaceName>,
    /// What is asked, so that the same wish can be found again in another set.
    pub(super) wish: String,
    /// As the owner sees it.
    pub(super) diagnostic: Diagnostic,
}

/// What each workspace that has to go back is told.
pub(super) type Offenders = BTreeMap<WorkspaceName, Vec<Diagnostic>>;

//! What a rejection depends on.

use std::collections::BTreeMap;

use serde_json::json;
use signalbox_core::catalog::{Catalog, Workspace};
use signalbox_core::ids::{Digest, WorkspaceName};

/// What every workspace of a catalog declares to others, as digests. They are kept from one look to
/// the next, so that a look costs what has changed and not what there is.
#[derive(Debug, Clone, Default)]
pub struct Contracts {
    /// By name: which state of the workspace was read, and what it declares.
    declared: BTreeMap<WorkspaceName, (Digest, Digest)>,
}

impl Contracts {
    /// The contracts of a catalog.
    pub fn of(catalog: &Catalog) -> Self {
        let mut contracts = Self::default();
        contracts.update(catalog);
        contracts
    }

    /// Reads the workspaces that are not known in the state in which they are in a catalog, and
    /// forgets those that are not in it.
    pub fn update(&mut self, catalog: &Catalog) {
        self.declared.retain(|name, _| catalog.workspaces.contains_key(name));
        for (name, workspace) in &catalog.workspaces {
            let identity = workspace.identity();
            if self.declared.get(name).is_none_or(|(known, _)| *known != identity) {
                self.declared.insert(name.clone(), (identity, declared_by(workspace)));
            }
        }
    }

    /// The digest of everything that others declare and that `workspace` is checked against. A
    /// rejection is looked at again when it changes.
    pub fn around(&self, workspace: &WorkspaceName) -> Digest {
        let others = self.declared.iter().filter(|(name, _)| *name != workspace);
        Digest::of_parts(others.map(|(_, (_, declared))| declared.0.as_slice()))
    }
}

/// The digest of what a workspace declares, its name with it.
fn declared_by(workspace: &Workspace) -> Digest {
    // Where a call stands does not matter to others.
    let flows = workspace.flows.iter().map(|(name, flow)| {
        let calls: Vec<_> = flow.calls.iter().map(|call| (&call.target, &call.inputs)).collect();
        json!({ "name": name, "inputs": flow.inputs, "calls": calls })
    });
    let declared = json!({
        "name": workspace.name,
        "kind": workspace.kind,
        "exports": workspace.exports,
        "may_start": workspace.may_start,
        "accepts": workspace.accepts,
        "uses": workspace.uses,
        "flows": flows.collect::<Vec<_>>(),
    });
    Digest::of(declared.to_string().as_bytes())
}

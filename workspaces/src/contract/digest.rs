//! What a rejection depends on.

use serde_json::json;
use signalbox_core::catalog::Catalog;
use signalbox_core::ids::{Digest, WorkspaceName};

/// The digest of everything that others declare and that `workspace` is checked against. A
/// rejection is looked at again when it changes.
pub fn digest(workspace: &WorkspaceName, catalog: &Catalog) -> Digest {
    let others = catalog.workspaces.values().filter(|other| other.name != *workspace);
    let declared = others.map(|other| {
        // Where a call stands does not matter to others.
        let flows = other.flows.iter().map(|(name, flow)| {
            let calls: Vec<_> =
                flow.calls.iter().map(|call| (&call.target, &call.inputs)).collect();
            json!({ "name": name, "inputs": flow.inputs, "calls": calls })
        });
        json!({
            "name": other.name,
            "kind": other.kind,
            "exports": other.exports,
            "may_start": other.may_start,
            "accepts": other.accepts,
            "uses": other.uses,
            "flows": flows.collect::<Vec<_>>(),
        })
    });
    Digest::of(json!(declared.collect::<Vec<_>>()).to_string().as_bytes())
}

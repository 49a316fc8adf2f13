//! What a push changes in a workspace, in flows.

use signalbox_core::catalog::{Flow, Workspace};
use signalbox_core::ids::FlowName;

/// The flows that differ between two states of a workspace, each list sorted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// Flows that only the new state has.
    pub added: Vec<FlowName>,
    /// Flows of both, whose definition or any source they reach is another.
    pub changed: Vec<FlowName>,
    /// Flows that only the old state has.
    pub removed: Vec<FlowName>,
}

/// Compares two states; a missing one has no flows.
pub fn changes(old: Option<&Workspace>, new: Option<&Workspace>) -> Changes {
    let mut changes = Changes::default();
    for (name, flow) in new.iter().flat_map(|ws| &ws.flows) {
        match (old, old.and_then(|ws| ws.flows.get(name)), new) {
            (Some(old), Some(before), Some(new)) => {
                if differs((old, before), (new, flow)) {
                    changes.changed.push(name.clone());
                }
            }
            _ => changes.added.push(name.clone()),
        }
    }
    let kept = |name: &FlowName| new.is_some_and(|ws| ws.flows.contains_key(name));
    let old_names = old.iter().flat_map(|ws| ws.flows.keys());
    changes.removed = old_names.filter(|name| !kept(name)).cloned().collect();
    changes
}

fn differs((old, before): (&Workspace, &Flow), (new, after): (&Workspace, &Flow)) -> bool {
    // Where a call stands is no part of what a flow does; a moved line is in its source's digest.
    let definition = |flow: &Flow| Flow { calls: Vec::new(), ..flow.clone() };
    let source = |path: &String| old.sources.get(path) != new.sources.get(path);
    definition(before) != definition(after) || after.plan.sources.iter().any(source)
}

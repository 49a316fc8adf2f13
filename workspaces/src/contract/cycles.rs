//! Circles in the graph of flows that calls, and starts of flows of the same workspace, make.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use signalbox_core::broker::{self, Target};
use signalbox_core::catalog::{Catalog, LiteralCall};
use signalbox_core::codes::Code;
use signalbox_core::diagnostic::{Diagnostic, Place};
use signalbox_core::ids::FlowRef;

use super::fault::Fault;

type Graph<'a> = BTreeMap<FlowRef, BTreeMap<FlowRef, &'a LiteralCall>>;

/// One fault for every call that lies on a circle: any of them is what could be taken out.
pub(super) fn faults(catalog: &Catalog) -> Vec<Fault> {
    let graph = graph(catalog);
    let mut faults = Vec::new();
    let mut told = BTreeSet::new();
    for (from, calls) in &graph {
        for (to, call) in calls {
            let Some(back) = path(&graph, to, from) else { continue };
            let mut circle = vec![from.clone()];
            circle.extend(back);
            let wish = format!("call {}", call.target);
            if !told.insert((from.workspace.clone(), wish.clone(), call.file.clone(), call.line)) {
                continue;
            }
            let shown: Vec<_> = circle.iter().map(ToString::to_string).collect();
            let message = format!("{} leads back", shown.join(" → "));
            let length = u32::try_from(call.target.chars().count()).unwrap_or(u32::MAX);
            let place = Place::at(call.file.clone(), call.line, call.column, length);
            faults.push(Fault {
                owner: from.workspace.clone(),
                other: None,
                wish,
                diagnostic: Diagnostic::error(Code::CallCycle, place, message),
            });
        }
    }
    faults
}

fn graph(catalog: &Catalog) -> Graph<'_> {
    let mut graph = Graph::new();
    for workspace in catalog.workspaces.values() {
        for (name, flow) in &workspace.flows {
            let from = FlowRef { workspace: workspace.name.clone(), flow: name.clone() };
            for call in &flow.calls {
                let Ok(target) = call.target.parse::<Target>() else { continue };
                let Ok(permit) = broker::decide(catalog, &workspace.name, &target) else {
                    continue;
                };
                graph.entry(from.clone()).or_default().entry(permit.callee).or_insert(call);
            }
            for start in &flow.starts {
                let Ok(flow) = start.target.parse() else { continue };
                let to = FlowRef { workspace: workspace.name.clone(), flow };
                graph.entry(from.clone()).or_default().entry(to).or_insert(start);
            }
        }
    }
    graph
}

/// The shortest way from one flow to another, both included.
fn path(graph: &Graph<'_>, from: &FlowRef, to: &FlowRef) -> Option<Vec<FlowRef>> {
    let mut before: BTreeMap<&FlowRef, Option<&FlowRef>> = BTreeMap::from([(from, None)]);
    let mut open = VecDeque::from([from]);
    while let Some(at) = open.pop_front() {
        if at == to {
            let mut path = vec![at.clone()];
            let mut back = at;
            while let Some(Some(earlier)) = before.get(back) {
                path.push((*earlier).clone());
                back = earlier;
            }
            path.reverse();
            return Some(path);
        }
        for next in graph.get(at).into_iter().flat_map(BTreeMap::keys) {
            if !before.contains_key(next) {
                before.insert(next, Some(at));
                open.push_back(next);
            }
        }
    }
    None
}

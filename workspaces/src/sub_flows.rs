//! Starts of flows of the same workspace that can be seen without running anything.

use std::collections::BTreeMap;

use signalbox_core::catalog::{Flow, LiteralCall};
use signalbox_core::codes::Code;
use signalbox_core::diagnostic::{Diagnostic, Place};
use signalbox_core::ids::FlowName;

use crate::faults::near;
use crate::fields;

/// Every start of a flow that is not there or does not take the inputs.
pub(crate) fn faults(flows: &BTreeMap<FlowName, Flow>) -> Vec<Diagnostic> {
    let all = flows.values().flat_map(|flow| &flow.starts);
    all.filter_map(|start| fault(flows, start)).collect()
}

fn fault(flows: &BTreeMap<FlowName, Flow>, start: &LiteralCall) -> Option<Diagnostic> {
    let length = u32::try_from(start.target.chars().count()).unwrap_or(u32::MAX);
    let place = Place::at(start.file.clone(), start.line, start.column, length);
    let name = fields::shown(&start.target);
    let Some(flow) = flows.iter().find(|(name, _)| name.as_str() == start.target) else {
        let message = format!("the workspace has no flow `{name}`");
        let mut fault = Diagnostic::error(Code::UnknownFlow, place, message);
        fault.help = near(&start.target, flows.keys().map(FlowName::as_str));
        return Some(fault);
    };
    let given = start.inputs.as_ref()?.iter();
    let faults = flow.1.inputs.faults(given.map(|(name, value)| (name.as_str(), value.as_ref())));
    let told: Vec<_> = faults.iter().map(|f| format!("`{}` {}", f.input, f.message)).collect();
    if told.is_empty() {
        return None;
    }
    let message = format!("`{name}` does not take these inputs: {}", told.join("; "));
    Some(Diagnostic::error(Code::InputsDoNotFit, place, message))
}

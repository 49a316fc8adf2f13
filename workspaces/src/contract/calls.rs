//! Every call that can be seen, put before the broker.

use signalbox_core::broker::{self, Target};
use signalbox_core::catalog::{Catalog, LiteralCall, Workspace};
use signalbox_core::codes::Code;
use signalbox_core::diagnostic::{Diagnostic, Place};
use signalbox_core::ids::WorkspaceName;

use super::fault::Fault;
use crate::{alarms, handlers};

/// The faults of all calls.
pub(super) fn faults(catalog: &Catalog) -> Vec<Fault> {
    let calls = |workspace: &Workspace| {
        let flows = workspace.flows.values().flat_map(|flow| &flow.calls);
        let health = workspace.health.iter().flat_map(|health| &health.calls);
        flows.chain(health).filter_map(|call| fault(catalog, workspace, call)).collect::<Vec<_>>()
    };
    catalog.workspaces.values().flat_map(|workspace| calls(workspace)).collect()
}

/// The name that a target is asked of: its workspace, or the platform.
pub(super) fn asked(catalog: &Catalog, target: &Target) -> Option<WorkspaceName> {
    match target {
        Target::Service(..) => catalog.platform().map(|platform| platform.name.clone()),
        Target::Flow(flow) => Some(flow.workspace.clone()),
    }
}

fn fault(catalog: &Catalog, from: &Workspace, call: &LiteralCall) -> Option<Fault> {
    let length = u32::try_from(call.target.chars().count()).unwrap_or(u32::MAX);
    let place = Place::at(call.file.clone(), call.line, call.column, length);
    let of = |other, diagnostic| Fault {
        owner: from.name.clone(),
        other,
        wish: format!("call {}", call.target),
        diagnostic,
    };
    let target: Target = match call.target.parse() {
        Ok(target) => target,
        Err(error) => {
            return Some(of(None, Diagnostic::error(Code::InvalidName, place, error.to_string())));
        }
    };
    let other = asked(catalog, &target);
    let permit = match broker::decide(catalog, &from.name, &target) {
        Ok(permit) => permit,
        Err(refusal) => {
            let code = refusal.rule.code().unwrap_or(Code::Denied);
            let mut diagnostic = Diagnostic::error(code, place, refusal.message);
            diagnostic.help = help(catalog, from, &target, code);
            return Some(of(other, diagnostic));
        }
    };
    let callee = catalog.find_flow(&permit.callee.workspace, &permit.callee.flow)?;
    if let Some(event) = call.handles {
        let message = handlers::unfit(&callee.inputs, event, &call.target)?;
        let told = Diagnostic::error(Code::InputsDoNotFit, place, message).help(handlers::FACTS);
        return Some(of(other, told));
    }
    if let Some(kind) = call.tells {
        let message = alarms::unfit(&callee.inputs, kind, &call.target)?;
        let help = alarms::facts(kind);
        let told = Diagnostic::error(Code::InputsDoNotFit, place, message).help(help);
        return Some(of(other, told));
    }
    let inputs = call.inputs.as_ref()?;
    let given = inputs.iter().map(|(name, value)| (name.as_str(), value.as_ref()));
    let faults = callee.inputs.faults(given);
    let told: Vec<_> = faults.iter().map(|f| format!("`{}` {}", f.input, f.message)).collect();
    if told.is_empty() {
        return None;
    }
    let message = format!("`{target}` does not take these inputs: {}", told.join("; "));
    Some(of(other, Diagnostic::error(Code::InputsDoNotFit, place, message)))
}

fn help(catalog: &Catalog, from: &Workspace, target: &Target, code: Code) -> Option<String> {
    use signalbox_core::diagnostic::did_you_mean;
    match (code, target) {
        (Code::NotDeclared, Target::Service(..)) => {
            Some(format!("add `{target}` to `uses` of `{}`", from.name))
        }
        (Code::NotDeclared, Target::Flow(flow)) => Some(format!(
            "add `{}` to `may_start` of `{}`, under `{}`",
            flow.flow, from.name, flow.workspace
        )),
        (Code::NotAccepted, Target::Flow(flow)) => {
            Some(format!("add `{}` to `accepts` of `{}`", flow.flow, flow.workspace))
        }
        (Code::UnknownService, Target::Service(service, _)) => {
            let known = catalog.platform()?.exports.keys().map(AsRef::as_ref);
            did_you_mean(service.as_str(), known).map(|near| format!("did you mean `{near}`?"))
        }
        (Code::UnknownFlow, Target::Flow(flow)) => {
            let known = catalog.workspaces.get(&flow.workspace)?.flows.keys().map(AsRef::as_ref);
            did_you_mean(flow.flow.as_str(), known).map(|near| format!("did you mean `{near}`?"))
        }
        (Code::UnknownWorkspace, Target::Flow(flow)) => {
            let known = catalog.workspaces.keys().map(AsRef::as_ref);
            did_you_mean(flow.workspace.as_str(), known)
                .map(|near| format!("did you mean `{near}`?"))
        }
        _ => None,
    }
}

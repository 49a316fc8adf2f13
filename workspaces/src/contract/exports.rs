//! Exports that change while a domain that did not change uses them.
//!
//! A domain that changes in the same push is checked by what it declares and calls now, in
//! [`calls`](super::calls); one that does not has calls that nobody can see, too.

use std::collections::BTreeMap;

use signalbox_core::catalog::{Catalog, Export, Flow, ServiceUse, Workspace};
use signalbox_core::codes::Code;
use signalbox_core::diagnostic::Diagnostic;
use signalbox_core::ids::{ServiceName, WorkspaceName};

use super::Candidate;
use super::candidate::workspace_file;
use super::fault::Offenders;

/// The incompatible changes of the platform, if it can still go back.
pub(super) fn faults(
    catalog: &Catalog,
    candidates: &BTreeMap<WorkspaceName, Candidate>,
    is_movable: impl Fn(&WorkspaceName) -> bool,
) -> Offenders {
    let mut found = Offenders::new();
    let Some(new) = catalog.platform().filter(|platform| is_movable(&platform.name)) else {
        return found;
    };
    let live = candidates.get(&new.name).and_then(|candidate| candidate.live.as_ref());
    let Some(live) = live else { return found };
    let unchanged: Vec<_> = catalog
        .workspaces
        .values()
        .filter(|workspace| workspace.name != new.name && !is_movable(&workspace.name))
        .collect();
    for (service, before) in &live.exports {
        let Some(after) = new.exports.get(service).filter(|e| e.version == before.version) else {
            continue;
        };
        let Some(changes) = incompatible((live, before), (new, after)) else { continue };
        let used = |used: &ServiceUse| {
            used.service == *service && used.version.is_none_or(|version| version == before.version)
        };
        let callers = unchanged.iter().filter(|domain| domain.uses.iter().any(used));
        let callers: Vec<_> = callers.map(AsRef::as_ref).collect();
        if !callers.is_empty() {
            let diagnostic = diagnostic(new, service, after, &changes, &callers);
            found.entry(new.name.clone()).or_default().push(diagnostic);
        }
    }
    found
}

fn incompatible(
    (live, before): (&Workspace, &Export),
    (new, after): (&Workspace, &Export),
) -> Option<String> {
    let old: &Flow = live.flows.get(&before.flow)?;
    let faults = old.inputs.breaks(&new.flows.get(&after.flow)?.inputs);
    let told: Vec<_> = faults
        .iter()
        .map(|fault| match fault.input.as_str() {
            "" => fault.message.clone(),
            input => format!("`{input}`: {}", fault.message),
        })
        .collect();
    (!told.is_empty()).then(|| told.join("; "))
}

fn diagnostic(
    platform: &Workspace,
    service: &ServiceName,
    export: &Export,
    changes: &str,
    callers: &[&Workspace],
) -> Diagnostic {
    let names: Vec<_> = callers.iter().map(|domain| format!("`{}`", domain.name)).collect();
    let names = names.join(", ");
    let version = export.version;
    let message =
        format!("`{service}@{version}` in `exports` changes while {names} use it: {changes}");
    let next = version.saturating_add(1);
    let mut diagnostic = Diagnostic::error(Code::BreaksCallers, workspace_file(platform), message)
        .help(format!("export it with `version: {next}`, or change the callers in the same push"));
    for domain in callers {
        diagnostic = diagnostic.second(workspace_file(domain), "used here");
    }
    diagnostic
}

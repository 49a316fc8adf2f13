//! What workspaces declare of one another, whether or not a call can be seen.

use std::collections::BTreeMap;

use signalbox_core::catalog::{Callers, Catalog, Kind, ServiceUse, Workspace};
use signalbox_core::codes::Code;
use signalbox_core::diagnostic::{Diagnostic, did_you_mean};
use signalbox_core::ids::WorkspaceName;

use super::candidate::workspace_file;
use super::fault::Fault;

/// `uses` of what is not exported. A domain that declares it will call it.
pub(super) fn faults(catalog: &Catalog) -> Vec<Fault> {
    let platform = catalog.platform();
    let uses = |domain: &Workspace| {
        let all = domain.uses.iter();
        all.filter_map(|used| unknown_use(domain, used, platform)).collect::<Vec<_>>()
    };
    catalog.workspaces.values().flat_map(|domain| uses(domain)).collect()
}

fn unknown_use(
    domain: &Workspace,
    used: &ServiceUse,
    platform: Option<&Workspace>,
) -> Option<Fault> {
    let service = &used.service;
    let exports = platform.map(|platform| &platform.exports);
    let wish = match used.version {
        Some(version) => format!("{service}@{version}"),
        None => service.to_string(),
    };
    let (code, message, help) = match exports.and_then(|exports| exports.get(service)) {
        Some(export) if used.version.is_none_or(|version| version == export.version) => {
            return None;
        }
        Some(export) => {
            let message = format!("`{wish}` in `uses`: version {} is exported", export.version);
            (Code::UnknownVersion, message, Some(format!("use `{service}@{}`", export.version)))
        }
        None => {
            let message = format!("`{wish}` in `uses`: the platform exports no such service");
            let known = exports.into_iter().flatten().map(|(name, _)| name.as_str());
            let near = did_you_mean(service.as_str(), known);
            (Code::UnknownService, message, near.map(|near| format!("did you mean `{near}`?")))
        }
    };
    let mut diagnostic = Diagnostic::error(code, workspace_file(domain), message);
    diagnostic.help = help;
    Some(Fault {
        owner: domain.name.clone(),
        other: platform.map(|platform| platform.name.clone()),
        wish: format!("use {wish}"),
        diagnostic,
    })
}

/// Declarations that nobody answers: nothing is broken until somebody calls.
pub(super) fn warnings(catalog: &Catalog) -> BTreeMap<WorkspaceName, Vec<Diagnostic>> {
    let mut warnings: BTreeMap<WorkspaceName, Vec<Diagnostic>> = BTreeMap::new();
    for workspace in catalog.workspaces.values() {
        let found = match workspace.kind {
            Kind::Platform => of_platform(catalog, workspace),
            Kind::Domain => of_domain(catalog, workspace),
        };
        if !found.is_empty() {
            warnings.insert(workspace.name.clone(), found);
        }
    }
    warnings
}

fn of_platform(catalog: &Catalog, platform: &Workspace) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    let mut warn = |code, message| {
        found.push(Diagnostic::warning(code, workspace_file(platform), message));
    };
    for (name, flows) in &platform.may_start {
        let Some(domain) = catalog.workspaces.get(name) else {
            warn(Code::UnknownWorkspace, format!("`{name}` in `may_start` is not live"));
            continue;
        };
        if domain.kind == Kind::Platform {
            warn(Code::WrongDirection, format!("`{name}` in `may_start` is no domain"));
            continue;
        }
        for flow in flows {
            if !domain.flows.contains_key(flow) {
                warn(Code::UnknownFlow, format!("`{flow}` in `may_start` is no flow of `{name}`"));
            } else if !domain.accepts.contains(flow) {
                let message = format!("`{flow}` in `may_start` is not accepted by `{name}`");
                warn(Code::NotAccepted, message);
            }
        }
    }
    for (service, export) in &platform.exports {
        let Callers::Only(callers) = &export.callers else { continue };
        let known = |name| catalog.workspaces.get(name).is_some_and(|ws| ws.kind == Kind::Domain);
        for caller in callers.iter().filter(|name| !known(*name)) {
            let message =
                format!("`{caller}` in `callers` of `{service}` in `exports` is no live domain");
            warn(Code::UnknownWorkspace, message);
        }
    }
    found
}

fn of_domain(catalog: &Catalog, domain: &Workspace) -> Vec<Diagnostic> {
    let exports = catalog.platform().map(|platform| &platform.exports);
    let refused = domain.uses.iter().filter(|used| {
        let export = exports.and_then(|exports| exports.get(&used.service));
        matches!(export.map(|e| &e.callers), Some(Callers::Only(names)) if !names.contains(&domain.name))
    });
    let warning = |used: &ServiceUse| {
        let message = format!("`{}` in `uses`: its `callers` leave this domain out", used.service);
        Diagnostic::warning(Code::CallerNotAllowed, workspace_file(domain), message)
    };
    refused.map(warning).collect()
}

//! The same checks as a push, without a runner: for `signalbox validate`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use signalbox_core::WorkspaceName;
use signalbox_core::catalog::Kind;
use signalbox_core::codes::Code;
use signalbox_core::diagnostic::Diagnostic;
use signalbox_core::isolation::Level;
use signalbox_sync::Subtree;
use signalbox_workspaces::contract::{self, Candidate};

pub use super::tree::Tree;

use super::candidate;
use crate::options::Error;
use crate::process::Spawner;

/// What the checks came to.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Report {
    /// Workspaces that could be read, with their kind and how many flows they have.
    pub workspaces: Vec<(WorkspaceName, Kind, usize)>,
    /// Every fault and warning, by file and line.
    pub diagnostics: Vec<Diagnostic>,
}

impl Report {
    /// Whether all of it could go live.
    pub fn is_good(&self) -> bool {
        !self.diagnostics.iter().any(Diagnostic::is_error)
    }
}

/// Checks a tree as if nothing were live yet.
pub async fn validate(
    tree: Tree,
    manifest: Option<PathBuf>,
    cell: (PathBuf, Vec<String>),
) -> Result<Report, Error> {
    let spawner = Spawner::start(cell, Level::L1)?;
    let mut report = Report::default();
    let root = match tree.root(manifest.as_deref()).await? {
        Ok((root, warnings)) => {
            report.diagnostics.extend(warnings);
            root
        }
        Err(faults) => {
            report.diagnostics = faults;
            return Ok(report);
        }
    };
    let revision = tree.revision()?;
    let mut candidates = BTreeMap::new();
    let mut folders = BTreeMap::new();
    let mut broken = Vec::new();
    for entry in root.workspaces.values() {
        let subtree = tree.subtrees(vec![entry.path.clone()]).await?.into_iter().next();
        if matches!(subtree, Some(Subtree::Missing) | None) {
            let message = format!("the folder `{}` does not exist", entry.path);
            let fault = Diagnostic::error(Code::FileMissing, entry.place.clone(), message);
            report.diagnostics.push(fault.help("correct `path`, or take the workspace out"));
            continue;
        }
        match candidate::read(&tree, entry, &revision, &spawner).await? {
            Ok(fresh) => {
                let spec = &fresh.spec;
                report.workspaces.push((spec.name.clone(), spec.kind, spec.flows.len()));
                report.diagnostics.extend(fresh.warnings);
                folders.insert(entry.name.clone(), fresh.folder);
                let candidate = Candidate { new: Some(fresh.spec), live: None };
                candidates.insert(entry.name.clone(), candidate);
            }
            Err(faults) => {
                report.diagnostics.extend(faults);
                broken.push(entry.kind);
            }
        }
    }
    let verdict = contract::check(&candidates, root.atomic);
    for (name, mut found) in verdict.rejected.into_iter().chain(verdict.warnings) {
        if let Some(folder) = folders.get(&name) {
            signalbox_workspaces::locate(&mut found, folder);
        }
        found.retain(|fault| !follows(fault, &broken));
        report.diagnostics.extend(found);
    }
    report.diagnostics.sort_by_key(|found| (found.place.clone(), found.code));
    report.diagnostics.dedup();
    Ok(report)
}

/// Whether a fault may be there only because what is called has faults of its own, and so cannot be
/// known: mended those, it is looked for again.
fn follows(fault: &Diagnostic, broken: &[Kind]) -> bool {
    match fault.code {
        Code::UnknownService => broken.contains(&Kind::Platform),
        Code::UnknownWorkspace => broken.contains(&Kind::Domain),
        _ => false,
    }
}

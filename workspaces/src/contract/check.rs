//! The check as a whole, and its answer.

use std::collections::BTreeMap;

use signalbox_core::catalog::Catalog;
use signalbox_core::diagnostic::{Diagnostic, Severity};
use signalbox_core::ids::WorkspaceName;

use super::rounds::{faults, settle};
use super::{Candidate, declarations};

/// What the check decided.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Verdict {
    /// The set that may be live: the new state where it is accepted, the live one where not.
    pub live: Catalog,
    /// Why each rejected workspace stays as it is.
    pub rejected: BTreeMap<WorkspaceName, Vec<Diagnostic>>,
    /// What each workspace should look at.
    pub warnings: BTreeMap<WorkspaceName, Vec<Diagnostic>>,
}

/// Decides which of the candidates may go live together; `atomic`: all or none.
pub fn check(candidates: &BTreeMap<WorkspaceName, Candidate>, atomic: bool) -> Verdict {
    let (live, mut rejected) = settle(candidates, atomic);
    let mut warnings = declarations::warnings(&live);
    for fault in faults(&live) {
        // Nothing that changed is to blame for what is left.
        let diagnostic = Diagnostic { severity: Severity::Warning, ..fault.diagnostic };
        warnings.entry(fault.owner).or_default().push(diagnostic);
    }
    for list in rejected.values_mut().chain(warnings.values_mut()) {
        list.sort_by_key(|found| (found.place.clone(), found.code, found.message.clone()));
        list.dedup();
    }
    Verdict { live, rejected, warnings }
}

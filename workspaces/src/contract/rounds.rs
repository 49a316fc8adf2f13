//! The rounds in which workspaces go back until nothing that changed is to blame.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use signalbox_core::catalog::{Catalog, Kind, Workspace};
use signalbox_core::codes::Code;
use signalbox_core::diagnostic::{Diagnostic, Place};
use signalbox_core::ids::WorkspaceName;

use super::fault::{Fault, Offenders};
use super::{Candidate, calls, cycles, declarations, exports};
use crate::root::ROOT_FILE;

/// The set that may be live, and who had to go back for what; `atomic`: all or none.
pub(super) fn settle(
    candidates: &BTreeMap<WorkspaceName, Candidate>,
    atomic: bool,
) -> (Catalog, Offenders) {
    let mut set = Set::new(candidates);
    loop {
        let found = set.offenders();
        if found.is_empty() {
            break;
        }
        set.rejected.extend(found);
    }
    if atomic && !set.rejected.is_empty() {
        set.hold_all();
    }
    (set.catalog(), set.rejected)
}

/// Everything wrong between the workspaces of a set.
pub(super) fn faults(catalog: &Catalog) -> Vec<Fault> {
    let mut faults = calls::faults(catalog);
    faults.extend(declarations::faults(catalog));
    faults.extend(cycles::faults(catalog));
    faults
}

/// A set of workspaces, each new or moved back.
struct Set<'a> {
    candidates: &'a BTreeMap<WorkspaceName, Candidate>,
    rejected: Offenders,
    /// What is wrong already when everything is new: who wishes what.
    own: BTreeSet<(WorkspaceName, String)>,
    /// Faults of domains from rounds in which the platform went back first. They are told when
    /// the domain goes back, too.
    remembered: Offenders,
}

impl<'s> Set<'s> {
    fn new(candidates: &'s BTreeMap<WorkspaceName, Candidate>) -> Self {
        let rejected = BTreeMap::new();
        let mut set =
            Self { candidates, rejected, own: BTreeSet::new(), remembered: BTreeMap::new() };
        let wish = |fault: Fault| (fault.owner, fault.wish);
        set.own = faults(&set.catalog()).into_iter().map(wish).collect();
        set
    }

    fn catalog(&self) -> Catalog {
        self.catalog_with_back(None)
    }

    /// The set, with one more workspace moved back.
    fn catalog_with_back(&self, back: Option<&WorkspaceName>) -> Catalog {
        let chosen = self.candidates.iter().filter_map(|(name, candidate)| {
            let back = self.rejected.contains_key(name) || back == Some(name);
            let state = if back { &candidate.live } else { &candidate.new };
            Some((name.clone(), state.clone()?))
        });
        Catalog { workspaces: chosen.collect() }
    }

    fn is_movable(&self, name: &WorkspaceName) -> bool {
        !self.rejected.contains_key(name)
            && self.candidates.get(name).is_some_and(Candidate::is_changed)
    }

    /// Who has to go back next. The platform alone when it is to blame for anything, because its
    /// going back may clear the domains; else every domain that is.
    fn offenders(&mut self) -> Offenders {
        let catalog = self.catalog();
        let mut found = self.second_platforms(&catalog);
        if !found.is_empty() {
            return found;
        }
        found = exports::faults(&catalog, self.candidates, |name| self.is_movable(name));
        let faults = faults(&catalog);
        let mut without = BTreeMap::new();
        let mut relying: BTreeMap<WorkspaceName, Vec<&Fault>> = BTreeMap::new();
        for fault in &faults {
            let Some((name, diagnostic)) = self.blame(fault, &mut without) else { continue };
            let own = self.own.contains(&(fault.owner.clone(), fault.wish.clone()));
            if own || name != fault.owner {
                found.entry(name).or_default().push(diagnostic);
            } else {
                relying.entry(name).or_default().push(fault);
            }
        }
        for (name, faults) in relying {
            found.entry(name).or_default().extend(self.relies(&faults));
        }
        self.platform_first(found)
    }

    fn platform_first(&mut self, mut found: Offenders) -> Offenders {
        let is_platform = |name: &WorkspaceName| self.kind(name) == Some(Kind::Platform);
        if found.keys().any(is_platform) {
            let (platforms, domains): (Offenders, Offenders) =
                found.into_iter().partition(|(name, _)| is_platform(name));
            for (name, list) in domains {
                self.remembered.entry(name).or_default().extend(list);
            }
            return platforms;
        }
        for (name, list) in &mut found {
            let earlier = self.remembered.remove(name).unwrap_or_default();
            list.retain(|found| earlier.iter().all(|earlier| earlier.place != found.place));
            list.extend(earlier);
        }
        found
    }

    /// The live platform: who is asked for a service when the new set has no platform.
    fn old_platform(&self) -> Option<&'s WorkspaceName> {
        let is_platform = |candidate: &Candidate| {
            candidate.live.as_ref().is_some_and(|live| live.kind == Kind::Platform)
        };
        let mut all = self.candidates.iter();
        all.find(|(_, candidate)| is_platform(candidate)).map(|(name, _)| name)
    }

    /// What went back takes what relies on it along: one line for all of it.
    fn relies(&self, faults: &[&Fault]) -> Option<Diagnostic> {
        let first = faults.iter().min_by_key(|fault| &fault.diagnostic.place)?;
        let gone = self.rejected.keys().find(|name| self.kind(name) == Some(Kind::Platform));
        let gone = first.other.as_ref().filter(|name| self.rejected.contains_key(*name)).or(gone);
        let mut diagnostic = first.diagnostic.clone();
        if let Some(gone) = gone {
            let more = match faults.len() {
                1 => String::new(),
                count => format!(", as are {} more", count - 1),
            };
            let help =
                format!("`{gone}` was rejected: this is checked against its live state{more}");
            diagnostic.help = Some(help);
        }
        Some(diagnostic)
    }

    fn kind(&self, name: &WorkspaceName) -> Option<Kind> {
        let candidate = self.candidates.get(name)?;
        candidate.new.as_ref().or(candidate.live.as_ref()).map(|workspace| workspace.kind)
    }

    /// Whose change made a fault: the owner's, if the fault is not there without it; else the
    /// other's. When both had it before, it is the owner who should not come with it again.
    fn blame<'a>(
        &self,
        fault: &'a Fault,
        without: &mut BTreeMap<&'a WorkspaceName, Vec<Fault>>,
    ) -> Option<(WorkspaceName, Diagnostic)> {
        let circle = fault.diagnostic.code == Code::CallCycle;
        let asked = fault.other.as_ref().or(if circle { None } else { self.old_platform() });
        let other = asked.filter(|other| self.is_movable(other));
        if self.is_movable(&fault.owner) {
            let left = without
                .entry(&fault.owner)
                .or_insert_with(|| faults(&self.catalog_with_back(Some(&fault.owner))));
            let stays =
                left.iter().any(|left| left.owner == fault.owner && left.wish == fault.wish);
            // A circle has more than two sides: one whose going back opens it is found by itself.
            if !(stays && (other.is_some() || circle)) {
                return Some((fault.owner.clone(), fault.diagnostic.clone()));
            }
        }
        Some((other?.clone(), breaks(other?, fault, self.candidates)))
    }

    /// One platform at most: a new one waits until the old one is gone.
    fn second_platforms(&self, catalog: &Catalog) -> Offenders {
        let is_platform = |workspace: &&Arc<Workspace>| workspace.kind == Kind::Platform;
        let platforms: Vec<_> = catalog.workspaces.values().filter(is_platform).collect();
        if platforms.len() < 2 {
            return Offenders::new();
        }
        let movable = platforms.into_iter().filter(|workspace| self.is_movable(&workspace.name));
        let fault = |workspace: &Arc<Workspace>| {
            let message = format!("`{}` would be a second live platform", workspace.name);
            let fault = Diagnostic::error(Code::PlatformCount, Place::file(ROOT_FILE), message);
            (workspace.name.clone(), vec![fault])
        };
        movable.map(fault).collect()
    }

    fn hold_all(&mut self) {
        let changed: Vec<_> =
            self.candidates.keys().filter(|name| self.is_movable(name)).cloned().collect();
        let guilty: Vec<_> = self.rejected.keys().map(|name| format!("`{name}`")).collect();
        for name in changed {
            let message = format!("held back because {} cannot go live", guilty.join(", "));
            let place =
                self.candidates.get(&name).map_or_else(|| Place::file(ROOT_FILE), Candidate::place);
            self.rejected.insert(name, vec![Diagnostic::error(Code::AtomicHeld, place, message)]);
        }
    }
}

/// A fault of the one who asks, as the one who is asked has to hear it.
fn breaks(
    name: &WorkspaceName,
    fault: &Fault,
    candidates: &BTreeMap<WorkspaceName, Candidate>,
) -> Diagnostic {
    let place = candidates.get(name).map_or_else(|| Place::file(ROOT_FILE), Candidate::place);
    let message = format!("`{}` would break: {}", fault.owner, fault.diagnostic.message);
    Diagnostic::error(Code::BreaksCallers, place, message)
        .second(fault.diagnostic.place.clone(), "relied on here")
}

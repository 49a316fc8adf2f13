//! Branches: parts of a run that are evaluated by turns, on the one thread that there is.
//!
//! A branch that wants an effect whose outcome is not there asks for it and is unwound, by a flag
//! that is as sticky as that of the run. When the outcome has come it is evaluated again, in the
//! same scope, and finds everything that it did before: what a branch does is kept in the replay as
//! it is recorded. A branch beside which no other can go on is *alone* and waits in place.

use std::collections::HashMap;

use signalbox_core::Digest;
use signalbox_core::catalog::MAX_PARALLEL;
use signalbox_core::journal::{Entry, Failure, Key, Outcome};

use super::{Run, Scope};
use crate::fault::Place;
use crate::operations;

/// The evaluation of a branch that is under way.
#[derive(Debug)]
pub(super) struct Branch {
    alone: bool,
    waits: bool,
    on: Vec<Key>,
    starved: bool,
    /// How many scopes there were around it.
    scopes: usize,
    before: Spent,
}

/// What a run has used of its bounds.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Spent {
    entries: usize,
    bytes: usize,
    log_bytes: usize,
    operations: u64,
}

impl Spent {
    fn since(self, before: Self) -> Self {
        Self {
            entries: self.entries - before.entries,
            bytes: self.bytes - before.bytes,
            log_bytes: self.log_bytes - before.log_bytes,
            operations: self.operations - before.operations,
        }
    }
}

/// Why a branch was unwound.
#[derive(Debug, Default)]
pub(crate) struct Waiting {
    /// The effects whose outcomes it waits for.
    on: Vec<Key>,
    /// Whether it could not even ask, because so many effects were under way.
    starved: bool,
    /// What its evaluation used; given back when it is evaluated again.
    pub(crate) spent: Spent,
}

/// What is remembered of the last error of a branch, to know it again.
#[derive(Debug, Default)]
pub(crate) struct Aftermath {
    thrown: Option<Failure>,
    place: Option<(String, Place)>,
}

/// How the evaluation of a branch went.
#[derive(Debug)]
pub(crate) enum Turn {
    /// To its end.
    Ended(Aftermath),
    /// What came of it does not count.
    Waits(Waiting),
}

/// Effects of branches that were asked for and have no outcome yet, with kind and fingerprint.
pub(super) type Asked = HashMap<Key, (&'static str, Digest)>;

impl Run {
    /// Whether whatever is evaluated must be unwound.
    pub(crate) fn is_halted(&self) -> bool {
        self.stop.is_some()
            || self.late.is_some()
            || self.branches.last().is_some_and(|branch| branch.waits)
    }

    /// Whether what is evaluated is a branch beside which others can go on.
    pub(crate) fn is_apart(&self) -> bool {
        self.branches.last().is_some_and(|branch| !branch.alone)
    }

    /// Whether what is evaluated is a branch of any kind.
    pub(crate) fn has_branches(&self) -> bool {
        !self.branches.is_empty()
    }

    /// Begins to evaluate a branch. `earlier` is what its last evaluation used.
    pub(crate) fn enter_branch(&mut self, scope: Scope, alone: bool, earlier: Spent) {
        self.entries -= earlier.entries;
        self.bytes -= earlier.bytes;
        self.log_bytes -= earlier.log_bytes;
        operations::give_back(earlier.operations);
        let (scopes, before) = (self.scopes.len(), self.spent());
        let branch = Branch { alone, waits: false, on: Vec::new(), starved: false, scopes, before };
        self.branches.push(branch);
        self.scopes.push(scope);
    }

    /// Ends the evaluation that was begun last.
    pub(crate) fn leave_branch(&mut self) -> Turn {
        let Some(branch) = self.branches.pop() else { return Turn::Ended(self.aftermath()) };
        self.scopes.truncate(branch.scopes);
        if !branch.waits {
            return Turn::Ended(self.aftermath());
        }
        let spent = self.spent().since(branch.before);
        Turn::Waits(Waiting { on: branch.on, starved: branch.starved, spent })
    }

    fn spent(&self) -> Spent {
        Spent {
            entries: self.entries,
            bytes: self.bytes,
            log_bytes: self.log_bytes,
            operations: operations::done(),
        }
    }

    fn aftermath(&self) -> Aftermath {
        Aftermath { thrown: self.thrown.clone(), place: self.place.clone() }
    }

    /// Remembers the last error of a branch as the last of the run: it is the one that is thrown.
    pub(crate) fn restore(&mut self, aftermath: Aftermath) {
        self.thrown = aftermath.thrown;
        self.place = aftermath.place;
    }

    /// Whether evaluating a branch again can lead further.
    pub(crate) fn has_news(&self, waiting: &Waiting) -> bool {
        waiting.on.iter().any(|key| !self.asked.contains_key(key))
            || (waiting.starved && self.may_ask())
    }

    /// Whether so few effects of branches are under way that another may be asked for.
    pub(crate) fn may_ask(&self) -> bool {
        self.asked.len() < MAX_PARALLEL as usize
    }

    /// Whether an effect was asked for by a branch and has no outcome yet.
    pub(crate) fn is_asked(&self, key: &Key) -> bool {
        self.asked.contains_key(key)
    }

    /// Notes an effect that a branch asks for.
    pub(crate) fn note_asked(&mut self, key: Key, kind: &'static str, fingerprint: Digest) {
        self.asked.insert(key, (kind, fingerprint));
    }

    /// Has the present branch unwound until an effect has its outcome.
    pub(crate) fn wait_for(&mut self, key: Key) {
        if let Some(branch) = self.branches.last_mut() {
            branch.on.push(key);
            branch.waits = true;
        }
        operations::look_at_once();
    }

    /// Has the present branch unwound until one of some effects has its outcome.
    pub(crate) fn wait_for_any(&mut self, keys: Vec<Key>) {
        if let Some(branch) = self.branches.last_mut() {
            branch.on.extend(keys);
            branch.waits = true;
        }
        operations::look_at_once();
    }

    /// Has the present branch unwound until fewer effects are under way.
    pub(crate) fn starve(&mut self) {
        if let Some(branch) = self.branches.last_mut() {
            branch.starved = true;
            branch.waits = true;
        }
        operations::look_at_once();
    }

    /// Has the present branch unwound until one of its own branches can go on.
    pub(crate) fn wait_like<'a>(&mut self, inner: impl Iterator<Item = &'a Waiting>) {
        if let Some(branch) = self.branches.last_mut() {
            for waiting in inner {
                branch.on.extend_from_slice(&waiting.on);
                branch.starved |= waiting.starved;
            }
            branch.waits = true;
        }
        operations::look_at_once();
    }

    /// Keeps the outcome of an effect that a branch asked for, to be found when it is evaluated
    /// again.
    pub(crate) fn take_in(&mut self, key: Key, outcome: Outcome) {
        if let Some((kind, fingerprint)) = self.asked.remove(&key) {
            let at = crate::clock::now();
            self.replay.keep(Entry { key, kind: kind.to_owned(), fingerprint, outcome, at });
        }
    }

    /// An effect that a branch asked for has its outcome, and nobody will ask for it again.
    pub(crate) fn forget_asked(&mut self, key: &Key) {
        self.asked.remove(key);
    }
}

//! The deployer's desk: where hints come in, reports go out, and what it remembers in between.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Instant;

use signalbox_core::catalog::Workspace;
use signalbox_core::clock::Timestamp;
use signalbox_core::diagnostic::Diagnostic;
use signalbox_core::source::Folder;
use signalbox_core::{Digest, Revision, WorkspaceName};
use signalbox_sync::hints::{Hint, HintKind, Hints};
use signalbox_workspaces::contract::Contracts;
use tokio::sync::{Mutex, watch};

use crate::outcome::{Outcome, SyncReport};

/// Where hints come in and reports go out.
#[derive(Debug, Default)]
pub(crate) struct Desk {
    pub(crate) hints: Hints,
    pub(crate) requested: AtomicU64,
    pub(crate) done: watch::Sender<(u64, Arc<SyncReport>)>,
    /// Workspaces that the look under way has read and checked.
    pub(crate) checked: AtomicUsize,
    /// Workspaces that it reads and checks in all.
    pub(crate) to_check: AtomicUsize,
    /// Held by whoever changes what is live.
    pub(crate) memory: Mutex<Memory>,
}

impl Desk {
    /// A desk with what is remembered from before.
    pub(crate) fn with(memory: Memory) -> Self {
        Self { memory: Mutex::new(memory), ..Self::default() }
    }

    /// Adds a hint. Answers the number that a report must have to be an answer to it.
    pub(crate) fn hint(&self, kind: HintKind, at: Timestamp) -> u64 {
        let number = self.requested.fetch_add(1, Ordering::SeqCst) + 1;
        self.hints.push(Hint { kind, at, received: Instant::now() });
        number
    }
}

impl Desk {
    /// Whether a look at the source has ended since the start.
    pub(crate) fn has_looked(&self) -> bool {
        self.done.borrow().0 > 0
    }

    /// A look begins to read and check so many workspaces.
    pub(crate) fn begin(&self, to_check: usize) {
        self.checked.store(0, Ordering::Relaxed);
        self.to_check.store(to_check, Ordering::Relaxed);
    }
}

/// What the deployer remembers between two looks.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    /// The head that was looked at last, and a manifest on the host as it was then.
    pub(crate) seen: Option<(Revision, Option<Digest>)>,
    /// Whether something was left undone that another look may do.
    pub(crate) again: bool,
    /// What was read and not let live, so that it is not read again for nothing.
    pub(crate) rejected: BTreeMap<WorkspaceName, Rejected>,
    /// The last recorded rejection of each workspace.
    pub(crate) recorded: BTreeMap<WorkspaceName, Recorded>,
    /// What workspaces declare to each other.
    pub(crate) contracts: Contracts,
}

/// A state of a workspace that did not go live.
#[derive(Debug, Clone)]
pub(crate) struct Rejected {
    pub(crate) identity: Digest,
    /// The workspace, when it had no faults of its own: the contract is checked again.
    pub(crate) fresh: Result<Fresh, Vec<Diagnostic>>,
}

/// A rejection that is on record. The same state against the same contracts is the same rejection.
#[derive(Debug, Clone)]
pub(crate) struct Recorded {
    pub(crate) identity: Digest,
    pub(crate) contracts: Digest,
    pub(crate) outcome: Outcome,
}

impl Memory {
    /// Looks at everything again, whatever was seen before.
    pub(crate) fn forget_seen(&mut self) {
        self.seen = None;
    }
}

/// A workspace without faults of its own.
#[derive(Debug, Clone)]
pub(crate) struct Fresh {
    pub(crate) spec: Arc<Workspace>,
    pub(crate) warnings: Vec<Diagnostic>,
    /// Its files, for the store.
    pub(crate) folder: Arc<Folder>,
}

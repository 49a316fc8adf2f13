//! Brings workspaces to the revisions that the source wants.
//!
//! One look at the source at a time: which commit is the head, which workspaces does its root
//! manifest name, whose identity is not that of what is live. Those are read and checked whole;
//! the contract between workspaces is checked over the set that would be live; what passes goes
//! live in one commit of the store and one swap of the catalog. What does not leaves what was live
//! as it was.

mod candidate;
mod look;
mod outcome;
mod rollback;
mod tree;
pub mod validate;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use signalbox_core::WorkspaceName;
use signalbox_core::catalog::Catalog;
use signalbox_store::Store;
use signalbox_sync::hints::{Hint, HintKind, Hints};
use tokio::sync::{Mutex, watch};

pub use outcome::{Outcome, SyncReport};
pub(crate) use rollback::{rollback, unpin};

use crate::live::{Live, LiveInfo};
use crate::options::Error;
use crate::shared::Shared;

/// Where hints come in and reports go out.
#[derive(Debug, Default)]
pub(crate) struct Desk {
    hints: Hints,
    requested: AtomicU64,
    done: watch::Sender<(u64, Arc<SyncReport>)>,
    /// Held by whoever changes what is live.
    pub(crate) memory: Mutex<look::Memory>,
}

impl Desk {
    /// Adds a hint. Answers the number that a report must have to be an answer to it.
    pub(crate) fn hint(&self, shared: &Shared, kind: HintKind) -> u64 {
        let number = self.requested.fetch_add(1, Ordering::SeqCst) + 1;
        self.hints.push(Hint { kind, at: shared.clock.now(), received: Instant::now() });
        number
    }
}

/// What is live at the start.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) live: Live,
}

/// Reads what is live, and the last outcome of each workspace, from the store.
pub(crate) async fn load(store: &dyn Store) -> Result<Loaded, Error> {
    let mut live = Live::default();
    let mut catalog = Catalog::default();
    for found in store.live().await? {
        let name = found.spec.name.clone();
        let info = LiveInfo {
            deployment: found.deployment,
            pinned: found.pinned,
            created_at: found.created_at,
            updated_at: found.updated_at,
        };
        if let Some(last) = store.deployments(&name, 1, None).await?.first() {
            live.last.insert(name.clone(), outcome::of(last));
        }
        live.info.insert(name.clone(), info);
        catalog.workspaces.insert(name, found.spec);
    }
    live.catalog = catalog;
    Ok(Loaded { live })
}

/// Adds a hint, and waits for the report of the look that began after it.
pub(crate) async fn request(
    shared: &Shared,
    kind: HintKind,
    wait: Option<Duration>,
) -> Result<Option<SyncReport>, Error> {
    if shared.is_stopping() {
        return Err(Error::Stopping);
    }
    let mut done = shared.desk.done.subscribe();
    let number = shared.desk.hint(shared, kind);
    let Some(wait) = wait else { return Ok(None) };
    tokio::select! {
        report = done.wait_for(|(served, _)| *served >= number) => {
            let report = report.map_err(|_| Error::Stopping)?;
            Ok(Some(SyncReport::clone(&report.1)))
        }
        () = tokio::time::sleep(wait) => Ok(None),
        () = shared.stopping() => Err(Error::Stopping),
    }
}

/// Serves hints until the engine stops.
pub(crate) async fn run(shared: Arc<Shared>) {
    shared.desk.hint(&shared, HintKind::Start);
    loop {
        let hint = tokio::select! {
            hint = shared.desk.hints.next() => hint,
            () = tokio::time::sleep(shared.poll) => {
                Hint { kind: HintKind::Poll, at: shared.clock.now(), received: Instant::now() }
            }
            () = shared.stopping() => return,
        };
        let number = shared.desk.requested.load(Ordering::SeqCst);
        let mut memory = shared.desk.memory.lock().await;
        if hint.kind == HintKind::Poll && !memory.is_news(&shared).await {
            continue;
        }
        let report = look::look(&shared, &mut memory, hint).await;
        drop(memory);
        shared.desk.done.send_replace((number, Arc::new(report)));
    }
}

/// Swaps what is live, and tells everybody who must know.
pub(crate) fn swap(shared: &Shared, live: Live, changed: &BTreeMap<WorkspaceName, Outcome>) {
    let now = shared.clock.now();
    shared.live.store(Arc::new(live));
    shared.swapped.notify_one();
    for (workspace, outcome) in changed {
        let kind = crate::events::EventKind::Deployment { outcome: outcome.outcome.as_str() };
        shared.events.publish(now, workspace.clone(), kind);
    }
}

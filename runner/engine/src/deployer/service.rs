//! Serves hints, one after the other.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use signalbox_core::WorkspaceName;
use signalbox_store::Store;
use signalbox_store::contract::DeploymentOutcome;
use signalbox_sync::hints::{Hint, HintKind};

use super::look;
use crate::desk::{Memory, Recorded};
use crate::live::{Live, LiveInfo};
use crate::options::Error;
use crate::outcome::{self, Outcome, SyncReport};
use crate::shared::Shared;

/// Reads what is live, and the last outcome of each workspace, from the store.
pub(crate) async fn load(store: &dyn Store) -> Result<(Live, Memory), Error> {
    let mut live = Live::default();
    let mut memory = Memory::default();
    for found in store.live().await? {
        let name = found.spec.name.clone();
        let info = LiveInfo {
            deployment: found.deployment,
            pinned: found.pinned,
            created_at: found.created_at,
            updated_at: found.updated_at,
            paused_at: found.paused_at,
        };
        if let Some(last) = store.deployments(&name, 1, None).await?.first() {
            let outcome = outcome::of(last);
            live.last.insert(name.clone(), outcome.clone());
            if last.new.outcome == DeploymentOutcome::Rejected {
                let (identity, contracts) = (last.new.identity, last.new.contracts);
                let recorded = Recorded { identity, contracts, outcome };
                memory.recorded.insert(name.clone(), recorded);
            }
        }
        live.info.insert(name.clone(), info);
        live.catalog.workspaces.insert(name, found.spec);
    }
    if let Some(granted) = store.setting(look::GRANTED).await? {
        live.granted = serde_json::from_str(&granted)
            .map_err(|error| signalbox_store::Error::Corrupt(error.to_string()))?;
    }
    Ok((live, memory))
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
    let number = shared.desk.hint(kind, shared.clock.now());
    let Some(wait) = wait else { return Ok(None) };
    tokio::select! {
        biased;
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
    shared.desk.hint(HintKind::Start, shared.clock.now());
    loop {
        let hint = tokio::select! {
            biased;
            () = shared.stopping() => return,
            hint = shared.desk.hints.next() => hint,
            () = tokio::time::sleep(shared.poll) => {
                Hint { kind: HintKind::Poll, at: shared.clock.now(), received: Instant::now() }
            }
        };
        let number = shared.desk.requested.load(Ordering::SeqCst);
        let mut memory = shared.desk.memory.lock().await;
        if hint.kind == HintKind::Poll && !look::is_news(&shared, &memory).await {
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

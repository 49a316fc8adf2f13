//! Forgets what is older, or more, than is kept.
//!
//! An hour after runs have ended, and then only: a runner without work is not woken for this.

use std::sync::Arc;
use std::time::Duration;

use signalbox_store::contract::Retention;

use crate::shared::Shared;

/// From the end of a run to the next look at what can go.
const AFTER: Duration = Duration::from_hours(1);

/// Runs until the engine stops.
pub(crate) async fn run(shared: Arc<Shared>) {
    loop {
        tokio::select! {
            biased;
            () = shared.stopping() => return,
            () = shared.worked.notified() => {}
        }
        tokio::select! {
            biased;
            () = shared.stopping() => return,
            () = tokio::time::sleep(AFTER) => {}
        }
        match shared.store.prune(Retention::default(), shared.clock.now()).await {
            Ok(pruned) => tracing::debug!(?pruned, "forgot what is no longer kept"),
            Err(error) => tracing::warn!(%error, "cannot forget what is no longer kept"),
        }
    }
}

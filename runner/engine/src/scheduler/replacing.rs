//! Fires the slots that wait for the end of an earlier run.

use std::sync::Arc;

use signalbox_core::RunId;
use signalbox_store::contract::ScheduleKey;

use super::service::AGAIN;
use crate::shared::Shared;

/// Cancels the run of an earlier slot and fires the next one when it has ended, until no slot of the
/// schedule waits. If the runner dies in between, the slots are owed still.
pub(super) async fn replace(shared: Arc<Shared>, schedule: ScheduleKey, earlier: RunId) {
    let mut earlier = Some(earlier);
    loop {
        let Some(accept) = shared.timer().replacing.first(&schedule) else { return };
        let cancelled = earlier.take();
        if let Some(run) = &cancelled
            && let Err(error) = shared.cancel(run).await
        {
            // It may have ended by itself.
            tracing::debug!(%run, %error, "an earlier run was not cancelled");
        }
        match shared.accept_slots(vec![accept]).await {
            Ok(overlaps) => match overlaps.into_iter().next() {
                None if shared.timer().replacing.fired(&schedule) => continue,
                None => return,
                Some((_, run)) => earlier = Some(run),
            },
            Err(error) => {
                tracing::error!(%error, "a slot cannot be fired; trying again");
                earlier.clone_from(&cancelled);
            }
        }
        if earlier == cancelled {
            tokio::select! {
                biased;
                () = shared.stopping() => return,
                () = tokio::time::sleep(AGAIN) => {}
            }
        }
    }
}

//! The loop that fires schedules.

use std::sync::Arc;
use std::time::Duration;

use crate::options::Error;
use crate::shared::Shared;

/// After a failure of the store, so long before the next try.
pub(super) const AGAIN: Duration = Duration::from_secs(1);

/// Runs until the engine stops.
pub(crate) async fn run(shared: Arc<Shared>) {
    let mut alarm = match shared.alarm() {
        Ok(alarm) => alarm,
        Err(error) => return tracing::error!(%error, "cannot watch the time: no schedule fires"),
    };
    loop {
        if let Err(error) = turn(&shared).await {
            tracing::error!(%error, "cannot fire schedules; trying again");
            tokio::select! {
                biased;
                () = shared.stopping() => return,
                () = tokio::time::sleep(AGAIN) => continue,
            }
        }
        let next = shared.timer().next();
        tokio::select! {
            biased;
            () = shared.stopping() => return,
            () = shared.swapped.notified() => {}
            () = alarm.until(next) => {}
        }
    }
}

/// Takes on what is live, and fires what is due.
async fn turn(shared: &Arc<Shared>) -> Result<(), Error> {
    loop {
        let live = shared.live.load_full();
        let seen = {
            let timer = shared.timer();
            if timer.is_of(&live) {
                break;
            }
            timer.pauses
        };
        let states = shared.store.schedules().await?;
        let mut timer = shared.timer();
        // What was paused meanwhile may not be in what was read.
        if timer.pauses == seen {
            timer.adopt(live, states, shared.clock.now());
        }
    }
    super::fire::due(shared).await
}

//! Ends waits whose time has come: sleeps, calls that took too long, pauses before the next attempt,
//! deadlines.
//!
//! Moments are of the wall clock. A clock that is set forward makes them due at once, one that is
//! set back makes them wait longer; none is lost. The store knows them all and says which is next,
//! so that however many runs wait, nothing is kept here and nobody is woken but at that moment.

use std::sync::Arc;
use std::time::Duration;

use signalbox_core::clock::Timestamp;
use signalbox_core::run::{Reason, State};
use signalbox_store::contract::{Expired, Named, Write, Written};

use crate::deadline::overdue;
use crate::events::EventKind;
use crate::recorder;
use crate::shared::Shared;

/// After a failure of the store, so long before the next try.
const AGAIN: Duration = Duration::from_secs(1);

/// Ends waits until the engine stops.
pub(crate) async fn run(shared: Arc<Shared>) {
    let mut alarm = match shared.alarm() {
        Ok(alarm) => alarm,
        Err(error) => return tracing::error!(%error, "cannot watch the time: no wait ends"),
    };
    let mut due = shared.store.due();
    loop {
        let next = *due.borrow_and_update();
        let now = shared.clock.now();
        if next.is_some_and(|next| next <= now) {
            if let Err(error) = expire(&shared, now).await {
                tracing::error!(%error, "cannot end waits; trying again");
                tokio::select! {
                    biased;
                    () = shared.stopping() => return,
                    () = tokio::time::sleep(AGAIN) => {}
                }
            }
            if shared.is_stopping() {
                return;
            }
            continue;
        }
        tokio::select! {
            biased;
            () = shared.stopping() => return,
            changed = due.changed() => if changed.is_err() { return },
            () = alarm.until(next) => {}
        }
    }
}

async fn expire(shared: &Shared, now: Timestamp) -> Result<(), signalbox_store::Error> {
    let Expired { answers, retried, overdue, more: _ } = shared.store.expire(now).await?;
    for answer in answers {
        recorder::route(shared, answer).await;
    }
    for run in retried {
        tell(shared, run, State::Queued, now);
    }
    for run in overdue {
        fail(shared, run, now).await?;
    }
    Ok(())
}

/// Fails a run whose deadline has passed; a cell that has it is told to stop it. Between two hands
/// nobody has it: whoever gets it looks at its deadline first.
async fn fail(shared: &Shared, late: Named, at: Timestamp) -> Result<(), signalbox_store::Error> {
    let run = late.run.clone();
    let write = Write::Fail { run, at, reason: Reason::TimedOut, error: overdue() };
    match shared.store.commit(vec![write]).await?.into_iter().next() {
        Some(Written::Claimed) => {
            if let Some(link) = shared.find_link(&late.run) {
                link.overdue(late.run).await;
            }
        }
        Some(written @ (Written::Answered(_) | Written::Done(_))) => {
            ended(shared, late, at);
            recorder::route_all(shared, written).await;
        }
        Some(Written::Woken | Written::Suspended { .. } | Written::Fenced | Written::Rejected)
        | None => {}
    }
    Ok(())
}

fn ended(shared: &Shared, run: Named, at: Timestamp) {
    let id = run.run.clone();
    tell(shared, run, State::Failed, at);
    shared.ended(&id);
}

fn tell(shared: &Shared, Named { run, workspace, flow }: Named, state: State, at: Timestamp) {
    shared.events.publish(at, workspace, EventKind::Run { run, flow, state });
}

//! Ends waits whose time has come.

use std::sync::Arc;
use std::time::Duration;

use signalbox_core::RunId;
use signalbox_core::clock::Timestamp;
use signalbox_core::codes::Code;
use signalbox_core::journal::{Failure, Key, Outcome};
use signalbox_core::run::State;
use signalbox_store::contract::{Answer, Write, Written};

use crate::alarm::Alarm;
use crate::events::EventKind;
use crate::recorder;
use crate::shared::Shared;

/// After a failure of the store, so long before the next try.
const AGAIN: Duration = Duration::from_secs(1);

/// Ends waits until the engine stops. Those of suspended runs are read from the store first.
pub(crate) async fn run(shared: Arc<Shared>) {
    match shared.store.deadlines().await {
        Ok(deadlines) => {
            for (run, key, until) in deadlines {
                shared.waits.add(until, run, key);
            }
        }
        Err(error) => tracing::error!(%error, "cannot read the waits of suspended runs"),
    }
    let mut alarm = match Alarm::new(Arc::clone(&shared.clock)) {
        Ok(alarm) => alarm,
        Err(error) => return tracing::error!(%error, "cannot watch the time of waits"),
    };
    loop {
        tokio::select! {
            () = alarm.until(shared.waits.next()) => {}
            () = shared.waits.changed() => {}
            () = shared.stopping() => return,
        }
        let now = shared.clock.now();
        let due = shared.waits.take_due(now);
        if !due.is_empty() {
            expire(&shared, due, now).await;
        }
    }
}

/// Answers calls in place of their callees. Nothing happens to those that were answered before.
async fn expire(shared: &Shared, due: Vec<(RunId, Key)>, at: Timestamp) {
    let failure = Failure::transient(Code::CallTimedOut, "the called run did not end in time");
    let answer = |(run, key): &(RunId, Key)| Write::Answer {
        run: run.clone(),
        key: key.clone(),
        outcome: Outcome::Failed(failure.clone()),
        at,
    };
    match shared.store.commit(due.iter().map(answer).collect()).await {
        Ok(written) => {
            for written in written {
                if let Written::Answered(answer) = written {
                    told(shared, &answer, at).await;
                    recorder::route(shared, answer).await;
                }
            }
        }
        Err(error) => {
            tracing::error!(%error, "cannot end waits; trying again");
            for (run, key) in due {
                shared.waits.add(at.plus(AGAIN), run, key);
            }
        }
    }
}

/// Tells listeners of a run that waits no longer.
async fn told(shared: &Shared, answer: &Answer, at: Timestamp) {
    if answer.woken
        && let Ok(view) = shared.store.run(&answer.run).await
    {
        let (run, flow) = (answer.run.clone(), view.summary.flow);
        let kind = EventKind::Run { run, flow, state: State::Queued };
        shared.events.publish(at, view.summary.workspace, kind);
    }
}

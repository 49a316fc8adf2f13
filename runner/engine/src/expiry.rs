//! Ends waits whose time has come.

use std::sync::Arc;

use signalbox_core::RunId;
use signalbox_core::clock::Timestamp;
use signalbox_core::codes::Code;
use signalbox_core::journal::{Failure, Key, Outcome};
use signalbox_store::contract::{Write, Written};

use crate::alarm::Alarm;
use crate::events::EventKind;
use crate::recorder;
use crate::shared::Shared;

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
        for (run, key) in shared.waits.take_due(now) {
            expire(&shared, run, key, now).await;
        }
    }
}

/// Answers a call in place of its callee. Nothing happens when it was answered before.
async fn expire(shared: &Shared, run: RunId, key: Key, at: Timestamp) {
    let failure = Failure::transient(Code::CallTimedOut, "the called run did not end in time");
    let write = Write::Answer { run: run.clone(), key, outcome: Outcome::Failed(failure), at };
    match shared.store.commit(vec![write]).await {
        Ok(written) => {
            for written in written {
                let Written::Answered(answer) = written else { continue };
                if answer.woken
                    && let Ok(view) = shared.store.run(&answer.run).await
                {
                    let kind = EventKind::Run {
                        run: answer.run.clone(),
                        flow: view.summary.flow,
                        state: signalbox_core::run::State::Queued,
                    };
                    shared.events.publish(at, view.summary.workspace, kind);
                }
                recorder::route(shared, answer).await;
            }
        }
        Err(error) => tracing::error!(%run, %error, "cannot end the wait of a run"),
    }
}

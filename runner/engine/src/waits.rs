//! Calls whose answer is waited for only so long.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::{Arc, Mutex, PoisonError};

use signalbox_core::RunId;
use signalbox_core::clock::Timestamp;
use signalbox_core::codes::Code;
use signalbox_core::journal::{Failure, Key, Outcome};
use signalbox_store::contract::{Write, Written};
use tokio::sync::Notify;

use crate::alarm::Alarm;
use crate::events::EventKind;
use crate::recorder;
use crate::shared::Shared;

/// The waits that end by themselves.
#[derive(Debug, Default)]
pub(crate) struct Waits {
    heap: Mutex<BinaryHeap<Reverse<(Timestamp, RunId, Key)>>>,
    sooner: Notify,
}

impl Waits {
    /// Remembers that a call is answered by then, or by this.
    pub(crate) fn add(&self, until: Timestamp, run: RunId, key: Key) {
        let mut heap = self.heap.lock().unwrap_or_else(PoisonError::into_inner);
        let sooner = heap.peek().is_none_or(|Reverse((first, ..))| until < *first);
        heap.push(Reverse((until, run, key)));
        drop(heap);
        if sooner {
            self.sooner.notify_one();
        }
    }

    fn next(&self) -> Option<Timestamp> {
        let heap = self.heap.lock().unwrap_or_else(PoisonError::into_inner);
        heap.peek().map(|Reverse((until, ..))| *until)
    }

    fn take_due(&self, now: Timestamp) -> Vec<(RunId, Key)> {
        let mut heap = self.heap.lock().unwrap_or_else(PoisonError::into_inner);
        let mut due = Vec::new();
        while heap.peek().is_some_and(|Reverse((until, ..))| *until <= now) {
            due.extend(heap.pop().map(|Reverse((_, run, key))| (run, key)));
        }
        due
    }
}

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
            () = shared.waits.sooner.notified() => {}
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

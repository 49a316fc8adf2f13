//! Calls whose answer is waited for only so long.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, PoisonError};

use signalbox_core::RunId;
use signalbox_core::clock::Timestamp;
use signalbox_core::journal::Key;
use tokio::sync::Notify;

/// The waits that end by themselves.
#[derive(Debug, Default)]
pub(crate) struct Waits {
    inner: Mutex<Inner>,
    sooner: Notify,
}

#[derive(Debug, Default)]
struct Inner {
    by_end: BTreeSet<(Timestamp, RunId, Key)>,
    ends: HashMap<(RunId, Key), Timestamp>,
}

impl Waits {
    /// Remembers that a call is answered by then, or by this.
    pub(crate) fn add(&self, until: Timestamp, run: RunId, key: Key) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let sooner = inner.by_end.first().is_none_or(|(first, ..)| until < *first);
        if let Some(before) = inner.ends.insert((run.clone(), key.clone()), until) {
            inner.by_end.remove(&(before, run.clone(), key.clone()));
        }
        inner.by_end.insert((until, run, key));
        drop(inner);
        if sooner {
            self.sooner.notify_one();
        }
    }

    /// Forgets a wait: its call was answered.
    pub(crate) fn remove(&self, run: &RunId, key: &Key) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if inner.ends.is_empty() {
            return;
        }
        let call = (run.clone(), key.clone());
        if let Some(until) = inner.ends.remove(&call) {
            inner.by_end.remove(&(until, call.0, call.1));
        }
    }

    /// Resolves when a wait was added that ends before all others.
    pub(crate) async fn changed(&self) {
        self.sooner.notified().await;
    }

    /// When the next wait ends.
    pub(crate) fn next(&self) -> Option<Timestamp> {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.by_end.first().map(|(until, ..)| *until)
    }

    /// Takes out what has ended by now.
    pub(crate) fn take_due(&self, now: Timestamp) -> Vec<(RunId, Key)> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let mut due = Vec::new();
        while inner.by_end.first().is_some_and(|(until, ..)| *until <= now) {
            let Some((_, run, key)) = inner.by_end.pop_first() else { break };
            inner.ends.remove(&(run.clone(), key.clone()));
            due.push((run, key));
        }
        due
    }
}

//! Calls whose answer is waited for only so long.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::{Mutex, PoisonError};

use signalbox_core::RunId;
use signalbox_core::clock::Timestamp;
use signalbox_core::journal::Key;
use tokio::sync::Notify;

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

    /// Resolves when a wait was added that ends before all others.
    pub(crate) async fn changed(&self) {
        self.sooner.notified().await;
    }

    /// When the next wait ends.
    pub(crate) fn next(&self) -> Option<Timestamp> {
        let heap = self.heap.lock().unwrap_or_else(PoisonError::into_inner);
        heap.peek().map(|Reverse((until, ..))| *until)
    }

    /// Takes out what has ended by now.
    pub(crate) fn take_due(&self, now: Timestamp) -> Vec<(RunId, Key)> {
        let mut heap = self.heap.lock().unwrap_or_else(PoisonError::into_inner);
        let mut due = Vec::new();
        while heap.peek().is_some_and(|Reverse((until, ..))| *until <= now) {
            due.extend(heap.pop().map(|Reverse((_, run, key))| (run, key)));
        }
        due
    }
}

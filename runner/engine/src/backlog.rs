//! How much of what a cell's runs did is on its way to the store.
//!
//! A cell writes faster than a disk does. As long as more than [`ROOM`] waits, its driver reads nothing
//! more of it: the cell waits in its socket, and the runner's memory does not grow with what it says.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

/// What may wait, in bytes: four chunks of the size in which a cell sends them, so that a disk is never
/// idle.
const ROOM: usize = 256 << 10;

/// The count, shared by a driver and its recorder.
#[derive(Debug, Clone, Default)]
pub(crate) struct Backlog(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    bytes: AtomicUsize,
    less: Notify,
}

impl Backlog {
    /// Something is on its way.
    pub(crate) fn add(&self, bytes: usize) {
        self.0.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Something has arrived.
    pub(crate) fn remove(&self, bytes: usize) {
        self.0.bytes.fetch_sub(bytes, Ordering::Relaxed);
        self.0.less.notify_one();
    }

    /// Whether more is on its way than may be.
    pub(crate) fn is_full(&self) -> bool {
        self.0.bytes.load(Ordering::Relaxed) > ROOM
    }

    /// Resolves when some of it has arrived.
    pub(crate) async fn less(&self) {
        self.0.less.notified().await;
    }
}

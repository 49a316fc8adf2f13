//! What the writer and the readers of one store share.

use std::collections::HashSet;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use signalbox_core::clock::{Clock, Timestamp};
use tokio::sync::{Notify, watch};

use super::live::Live;
use super::readers::Readers;

/// The memory of an open store, beside its database.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) live: Mutex<Live>,
    pub(super) deployments: Mutex<HashSet<i64>>,
    pub(super) ready: Arc<Notify>,
    /// See [`crate::contract::Store::due`].
    pub(super) due: watch::Sender<Option<Timestamp>>,
    /// Notified when [`Live::displaced`] has something.
    pub(super) displaced: Notify,
    pub(super) readers: Arc<Readers>,
    pub(super) clock: Arc<dyn Clock>,
    /// Whether any run may be held back behind another of its schedule.
    pub(super) holds: AtomicBool,
}

impl Shared {
    /// The queues and claims. Held for moments only, never over a commit.
    pub(super) fn live(&self) -> MutexGuard<'_, Live> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn knows_deployment(&self, id: i64) -> bool {
        self.deployments.lock().unwrap_or_else(PoisonError::into_inner).contains(&id)
    }

    pub(super) fn know_deployment(&self, id: i64, made: bool) {
        let mut known = self.deployments.lock().unwrap_or_else(PoisonError::into_inner);
        if made {
            known.insert(id);
        } else {
            known.remove(&id);
        }
    }
}

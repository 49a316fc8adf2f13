//! How often something happened lately.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use signalbox_core::catalog::RateLimit;
use tokio::time::Instant;

/// When things of each name happened, within the time that their limit looks back.
#[derive(Debug)]
pub(crate) struct Rates<K>(Mutex<BTreeMap<K, VecDeque<Instant>>>);

impl<K> Default for Rates<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Ord + Clone> Rates<K> {
    /// Takes a place in the rate of a name, if there is one.
    pub(crate) fn take(&self, name: &K, limit: RateLimit) -> bool {
        let now = Instant::now();
        let mut lately = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let times = lately.entry(name.clone()).or_default();
        while times.front().is_some_and(|at| now.duration_since(*at) >= limit.per) {
            times.pop_front();
        }
        let free = times.len() < limit.count as usize;
        if free {
            times.push_back(now);
        }
        free
    }
}

//! What happened, in order, for whoever reads a failing seed.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use signalbox_core::clock::Clock;

use crate::clock::SimClock;

/// How often each thing happened.
pub type Tally = BTreeMap<String, u64>;

/// The lines of one seed, and what they are about.
#[derive(Debug, Clone)]
pub(crate) struct Trace {
    lines: Arc<Mutex<Vec<String>>>,
    met: Arc<Mutex<Tally>>,
    clock: Arc<SimClock>,
}

impl Trace {
    pub(crate) fn new(clock: Arc<SimClock>) -> Self {
        Self { lines: Arc::default(), met: Arc::default(), clock }
    }

    /// The clock that its lines show.
    pub(crate) fn clock(&self) -> Arc<SimClock> {
        Arc::clone(&self.clock)
    }

    /// Adds a line.
    pub(crate) fn say(&self, line: impl FnOnce() -> String) {
        let line = format!("{} {}", self.clock.now(), line());
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).push(line);
    }

    /// Adds a line that says just what happened, and counts it.
    pub(crate) fn met(&self, what: &str) {
        self.count(what);
        self.say(|| what.to_owned());
    }

    /// Counts what happened.
    pub(crate) fn count(&self, what: &str) {
        let mut met = self.met.lock().unwrap_or_else(PoisonError::into_inner);
        *met.entry(what.to_owned()).or_default() += 1;
    }

    /// How often each thing happened.
    pub(crate) fn tally(&self) -> Tally {
        self.met.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Every line.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

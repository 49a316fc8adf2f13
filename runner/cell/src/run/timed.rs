//! Tries of steps whose time is limited.
//!
//! Their time is the run's active time: what it had used when it was started in this cell, and what
//! this evaluation takes. When a try began is in the journal, so that a run that was suspended in
//! it goes on with what is left. One whose runner died has the whole time again, since nobody knows
//! what it had used.
//!
//! That a try is over time is a flag like those that stop a run or a branch, and whatever is
//! evaluated is unwound up to the step. An effect that the try waits for fails by it, on record. So
//! does the try: a replay finds that, and does not measure again.

use std::time::Duration;

use signalbox_core::codes::Code;
use signalbox_core::journal::{Failure, Key, Outcome};
use signalbox_core::text::cut;
use signalbox_core::value::{decode, encode};
use signalbox_core::{Digest, Value};

use super::Run;
use crate::operations;
use crate::protocol::Within;

/// The ordinal of the entry that says when a try began, in its scope. No effect reaches it.
const BEGUN: u32 = u32::MAX - 1;
/// The kind of that entry.
const KIND: &str = "begun";
/// Longest name of a step in a message, in bytes.
const MAX_NAME: usize = 200;

/// A try whose time is limited.
#[derive(Debug)]
pub(super) struct Timer {
    /// The path of its scope.
    path: String,
    /// When its time is up, in microseconds of the run's active time.
    until: i64,
    /// What is said then.
    message: String,
    /// How many scopes there are up to its own.
    scopes: usize,
}

/// A try that is over time.
#[derive(Debug)]
pub(crate) struct Late {
    /// How it fails.
    pub(crate) failure: Failure,
    /// The path of its scope.
    pub(crate) path: String,
}

impl Run {
    /// How long the run has been active, in microseconds.
    fn active(&self) -> i64 {
        let this = i64::try_from(self.began.elapsed().as_micros()).unwrap_or(i64::MAX);
        self.start.active_us.saturating_add(this)
    }

    /// Limits the time of the try that has begun, until [`Self::end_timed`]. `None`: it must stop.
    pub(crate) fn begin_timed(&mut self, limit: Duration) -> Option<()> {
        self.count_entry()?;
        let scope = self.scopes.last()?;
        let (path, shown) = (scope.path.clone(), cut(scope.shown.clone(), MAX_NAME));
        let began = self.begun_at(&path)?;
        self.timed.insert(path.clone(), began);
        let length = i64::try_from(limit.as_micros()).unwrap_or(i64::MAX);
        self.timers.push(Timer {
            path,
            until: began.saturating_add(length),
            message: format!("step `{shown}` took longer than its `timeout` of {limit:?}"),
            scopes: self.scopes.len(),
        });
        Some(())
    }

    /// When the try began, in the run's active time.
    fn begun_at(&mut self, path: &str) -> Option<i64> {
        if let Some(began) = self.timed.get(path) {
            return Some(*began);
        }
        let attempt = self.start.about.attempt;
        let key = Key { scope: path.to_owned(), attempt, ordinal: BEGUN };
        let print = Digest::of_parts([KIND.as_bytes(), path.as_bytes()]);
        let known = match self.recorded(&key, KIND, print)? {
            Some(Outcome::Done(bytes)) => decode(&bytes).ok().and_then(|value| value.as_int()),
            Some(Outcome::Failed(_) | Outcome::Pending) | None => None,
        };
        if let Some(known) = known {
            return Some(known.min(self.start.active_us));
        }
        let now = self.active();
        self.record(key, KIND, print, Outcome::Done(encode(&Value::Int(now))));
        Some(now)
    }

    /// Ends what [`Self::begin_timed`] began. Answers how the try fails when it is over time.
    pub(crate) fn end_timed(&mut self) -> Option<Late> {
        let timer = self.timers.pop()?;
        if self.late != Some(self.timers.len()) {
            return None;
        }
        self.late = None;
        if self.stop.is_some() {
            return None;
        }
        self.scopes.truncate(timer.scopes);
        let failure = Failure::transient(Code::StepTimedOut, timer.message);
        Some(Late { failure, path: timer.path })
    }

    /// Looks whether the time of a try is up.
    pub(crate) fn look_at_time(&mut self) {
        if self.timers.is_empty() || self.is_halted() {
            return;
        }
        let now = self.active();
        let late = self.timers.iter().position(|timer| timer.until <= now);
        self.set_late(late);
    }

    fn set_late(&mut self, late: Option<usize>) {
        if late.is_some() {
            self.late = late;
            operations::look_at_once();
        }
    }

    /// How long an effect may take that is asked for now.
    pub(crate) fn within(&self) -> Option<Within> {
        let first = self.timers.iter().min_by_key(|timer| timer.until)?;
        let left = first.until.saturating_sub(self.active());
        let micros = u64::try_from(left).unwrap_or(0);
        Some(Within { micros, message: first.message.clone() })
    }

    /// Whether an effect failed because the time of a try was up: it is over time then, now and in
    /// every replay.
    pub(crate) fn is_late(&mut self, outcome: &Outcome) -> bool {
        let Outcome::Failed(failure) = outcome else { return false };
        if failure.code != Code::StepTimedOut {
            return false;
        }
        let late = self.timers.iter().position(|timer| timer.message == failure.message);
        self.set_late(late);
        late.is_some()
    }

    /// Effects of branches in a scope that have no outcome yet.
    pub(crate) fn asked_in(&self, path: &str) -> Vec<Key> {
        let inside = |key: &&Key| {
            key.scope
                .strip_prefix(path)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        self.asked.keys().filter(inside).cloned().collect()
    }
}

//! What an earlier evaluation of the run recorded.

use std::collections::HashMap;

use signalbox_core::Digest;
use signalbox_core::clock::Timestamp;
use signalbox_core::journal::{Entry, Key, Outcome, place};

/// The ordinal of the entry that holds a step's own result, in the step's scope.
pub(super) const RESULT: u32 = u32::MAX;
/// The kind of that entry.
pub(super) const STEP: &str = "step";
/// The kind of it when the step was skipped.
pub(super) const SKIPPED: &str = "skipped";

/// A recorded journal, by key.
#[derive(Debug, Default)]
pub(super) struct Replay {
    entries: HashMap<Key, Entry>,
    /// Results of steps that succeeded in any attempt and try, by the step's place.
    kept: HashMap<String, Vec<u8>>,
}

/// What the journal says about an effect.
#[derive(Debug)]
pub(super) enum Recorded {
    /// Nothing: it is to be executed.
    Absent,
    /// It happened.
    Here(Outcome, Timestamp),
    /// Something else happened in its place.
    Other(String),
}

impl Replay {
    pub(super) fn new(journal: Vec<Entry>, attempt: u32) -> Self {
        let mut replay = Self::default();
        for entry in journal {
            if entry.key.attempt == attempt || entry.kind == STEP {
                replay.keep(entry);
            }
        }
        replay
    }

    /// Adds an entry. What was pending is replaced by its outcome.
    pub(super) fn keep(&mut self, entry: Entry) {
        match entry.outcome {
            Outcome::Done(bytes) if entry.kind == STEP => {
                self.kept.insert(place(&entry.key.scope).into_owned(), bytes);
            }
            Outcome::Done(_) | Outcome::Failed(_) | Outcome::Pending => {
                self.entries.insert(entry.key.clone(), entry);
            }
        }
    }

    /// The result of a step that succeeded in this attempt or an earlier one.
    pub(super) fn kept(&self, path: &str) -> Option<&[u8]> {
        self.kept.get(place(path).as_ref()).map(Vec::as_slice)
    }

    pub(super) fn look_up(&self, key: &Key, kind: &str, fingerprint: Digest) -> Recorded {
        let Some(entry) = self.entries.get(key) else { return Recorded::Absent };
        if entry.kind == kind && entry.fingerprint == fingerprint {
            return Recorded::Here(entry.outcome.clone(), entry.at);
        }
        let scope = if key.scope.is_empty() { "the flow" } else { &key.scope };
        let what = if entry.kind == kind {
            format!("`{kind}` with other arguments")
        } else {
            format!("`{}` instead of `{kind}`", entry.kind)
        };
        Recorded::Other(format!(
            "effect {} of {scope} was {what} when it was recorded",
            key.ordinal
        ))
    }
}

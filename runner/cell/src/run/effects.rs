//! Effects: their keys, what the journal has under them, and what is added to it.

use signalbox_core::journal::{Entry, Key, Outcome};
use signalbox_core::{Digest, bounds};

use super::replay::{Recorded, STEP};
use super::{Run, Stop};

/// Most entries in the journal of one run: DESIGN §6.7.
const MAX_ENTRIES: usize = bounds::ENTRIES;
/// Largest journal of one run: DESIGN §6.7.
const MAX_JOURNAL: usize = bounds::JOURNAL;

impl Run {
    /// The key of the next effect. `None`: the run must stop.
    pub(crate) fn next_key(&mut self) -> Option<Key> {
        self.count_entry()?;
        let attempt = self.start.about.attempt;
        let scope = self.scopes.last_mut()?;
        let ordinal = scope.ordinal;
        scope.ordinal += 1;
        Some(Key { scope: scope.path.clone(), attempt, ordinal })
    }

    /// Counts something that is recorded. `None`: the run must stop.
    pub(crate) fn count_entry(&mut self) -> Option<()> {
        self.look_at_time();
        if self.is_halted() {
            return None;
        }
        if let Some(place) = self.pure.last() {
            let message = format!(
                "an effect inside {place}: how often and in which order that runs is not defined"
            );
            self.set_stop(Stop::Forbidden(message));
            return None;
        }
        self.entries += 1;
        if self.entries > MAX_ENTRIES {
            self.set_stop(Stop::Limit(format!(
                "more than {MAX_ENTRIES} effects in one run; go on in a successor: `continue_as(inputs)`"
            )));
            return None;
        }
        Some(())
    }

    /// What the journal has under a key. The outer `None`: the run must stop.
    #[expect(clippy::option_option, reason = "the outer one is the `?` of every caller")]
    pub(crate) fn recorded(
        &mut self,
        key: &Key,
        kind: &str,
        fingerprint: Digest,
    ) -> Option<Option<Outcome>> {
        match self.replay.look_up(key, kind, fingerprint) {
            Recorded::Absent => Some(None),
            Recorded::Here(outcome, at) => {
                for scope in &mut self.scopes {
                    scope.started_at = scope.started_at.min(at);
                }
                self.count(&outcome)?;
                Some(Some(outcome))
            }
            Recorded::Other(message) => {
                self.set_stop(Stop::Incompatible(message));
                None
            }
        }
    }

    /// Counts an outcome towards the bound of the journal. `None`: the run must stop.
    pub(crate) fn count(&mut self, outcome: &Outcome) -> Option<()> {
        self.bytes += match outcome {
            Outcome::Pending => 0,
            Outcome::Done(bytes) => bytes.len(),
            Outcome::Failed(failure) => failure.message.len(),
        };
        if self.bytes > MAX_JOURNAL {
            self.set_stop(Stop::Limit(format!(
                "a journal of more than {}; go on in a successor: `continue_as(inputs)`",
                bounds::Figure::Bytes(MAX_JOURNAL as u64)
            )));
            return None;
        }
        Some(())
    }

    /// Has an outcome recorded that came about in the cell.
    pub(crate) fn record(&mut self, key: Key, kind: &str, fingerprint: Digest, outcome: Outcome) {
        let bytes = match &outcome {
            Outcome::Done(bytes) => bytes.len(),
            Outcome::Pending | Outcome::Failed(_) => 0,
        };
        // Going over the bound is noticed at the next effect, whoever caused it.
        self.count(&outcome);
        self.wait_for_record(bytes + key.scope.len() + 64);
        let at = crate::clock::now();
        let entry = Entry { key, kind: kind.to_owned(), fingerprint, outcome, at };
        if self.is_apart() || (self.tried > 0 && kind == STEP) {
            self.replay.keep(entry.clone());
        }
        self.chunk.entries.push(entry);
    }
}

//! What the journal had when a cell was given a run: nothing of it is asked for or recorded again,
//! but for a wait that lacked its answer, which is asked for as it was. An honest replay hands the
//! rest back by itself.

use std::collections::HashMap;

use signalbox_core::Digest;
use signalbox_core::journal::{Entry, Key, Outcome};

/// The journal of a run when it was started, by key.
#[derive(Debug)]
pub(super) struct History(HashMap<Key, Recorded>);

#[derive(Debug)]
enum Recorded {
    /// Something with its outcome, or a wait that was asked for again.
    Settled,
    /// A wait without its answer.
    Waits { kind: String, fingerprint: Digest },
}

impl History {
    pub(super) fn of(journal: &[Entry]) -> Self {
        let recorded = |entry: &Entry| match entry.outcome {
            Outcome::Pending => {
                Recorded::Waits { kind: entry.kind.clone(), fingerprint: entry.fingerprint }
            }
            Outcome::Done(_) | Outcome::Failed(_) => Recorded::Settled,
        };
        Self(journal.iter().map(|entry| (entry.key.clone(), recorded(entry))).collect())
    }

    /// Takes note of what is asked for. Answers whether it is a wait that lacked its answer.
    ///
    /// # Errors
    /// What no honest cell asks for.
    pub(super) fn ask(&mut self, key: &Key, kind: &str, print: Digest) -> Result<bool, String> {
        let Some(recorded) = self.0.get_mut(key) else { return Ok(false) };
        match std::mem::replace(recorded, Recorded::Settled) {
            Recorded::Settled => Err("an effect was asked for that the journal has".to_owned()),
            Recorded::Waits { kind: known, fingerprint }
                if known == kind && fingerprint == print =>
            {
                Ok(true)
            }
            Recorded::Waits { .. } => Err("it waits for something else than before".to_owned()),
        }
    }

    /// Looks at what is to be recorded.
    ///
    /// # Errors
    /// Something is recorded already.
    pub(super) fn check(&self, entries: &[Entry]) -> Result<(), String> {
        if entries.iter().any(|entry| self.0.contains_key(&entry.key)) {
            return Err("it records again what the journal has".to_owned());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use signalbox_core::clock::Timestamp;

    use super::*;

    fn entry(ordinal: u32, outcome: Outcome) -> Entry {
        let key = Key { scope: String::new(), attempt: 1, ordinal };
        let (kind, fingerprint) = ("sleep".to_owned(), Digest::of(b"request"));
        Entry { key, kind, fingerprint, outcome, at: Timestamp(0) }
    }

    #[test]
    fn what_the_journal_has_is_neither_asked_for_nor_recorded_again() {
        let done = || Outcome::Done(Vec::new());
        let all = [Outcome::Pending, done(), Outcome::Pending, Outcome::Pending, done()];
        let all: Vec<_> =
            (1..).zip(all).map(|(ordinal, outcome)| entry(ordinal, outcome)).collect();
        let mut history = History::of(&all[..4]);
        let print = Digest::of(b"request");
        let mut ask = |at: usize, kind, print| history.ask(&all[at].key, kind, print);
        assert_eq!(ask(0, "sleep", print), Ok(true), "it lacks its answer");
        assert!(ask(0, "sleep", print).is_err(), "twice");
        assert!(ask(1, "sleep", print).is_err(), "it has its outcome");
        assert!(ask(2, "broker::request", print).is_err(), "it was something else");
        assert!(ask(3, "sleep", Digest::of(b"another")).is_err(), "it was asked otherwise");
        assert_eq!(ask(4, "sleep", print), Ok(false), "it is new");
        for known in &all[..4] {
            assert!(history.check(std::slice::from_ref(known)).is_err(), "{known:?}");
        }
        assert!(history.check(&all[4..]).is_ok());
    }
}

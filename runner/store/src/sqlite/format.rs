//! The form of what is kept as bytes, and how older forms are read.

use serde::de::DeserializeOwned;
use signalbox_core::journal::{Chunk, FORMAT, Outcome};

use crate::contract::Error;

/// What is kept as bytes with the version of its form.
pub(super) trait Kept: DeserializeOwned {
    /// The same as the first version kept it.
    type First: DeserializeOwned + Into<Self>;
}

impl Kept for Chunk {
    type First = first::Chunk;
}

impl Kept for Outcome {
    type First = first::Outcome;
}

/// Reads bytes that were written in some format.
///
/// # Errors
/// [`Error::Corrupt`] when they do not have that form, or it is none that is known.
pub(super) fn read<T: Kept>(format: u32, bytes: &[u8]) -> Result<T, Error> {
    match format {
        1 => Ok(postcard::from_bytes::<T::First>(bytes)?.into()),
        FORMAT => Ok(postcard::from_bytes(bytes)?),
        other => Err(Error::Corrupt(format!("{other} is no known format of a journal"))),
    }
}

/// Format 1: a failure did not say how long the other side wants to be left alone.
mod first {
    use serde::{Deserialize, Serialize};
    use signalbox_core::Digest;
    use signalbox_core::clock::Timestamp;
    use signalbox_core::codes::Code;
    use signalbox_core::journal::{self, Key, LogLine};
    use signalbox_core::run::StepRecord;

    #[derive(Serialize, Deserialize)]
    pub(in crate::sqlite) struct Failure {
        pub(super) code: Code,
        pub(super) message: String,
        pub(super) retryable: bool,
    }

    #[derive(Serialize, Deserialize)]
    pub(in crate::sqlite) enum Outcome {
        Pending,
        Done(Vec<u8>),
        Failed(Failure),
    }

    #[derive(Serialize, Deserialize)]
    pub(in crate::sqlite) struct Entry {
        pub(super) key: Key,
        pub(super) kind: String,
        pub(super) fingerprint: Digest,
        pub(super) outcome: Outcome,
        pub(super) at: Timestamp,
    }

    #[derive(Serialize, Deserialize)]
    pub(in crate::sqlite) struct Chunk {
        pub(super) entries: Vec<Entry>,
        pub(super) logs: Vec<LogLine>,
        pub(super) steps: Vec<StepRecord>,
    }

    impl From<Outcome> for journal::Outcome {
        fn from(old: Outcome) -> Self {
            match old {
                Outcome::Pending => Self::Pending,
                Outcome::Done(bytes) => Self::Done(bytes),
                Outcome::Failed(Failure { code, message, retryable }) => {
                    Self::Failed(journal::Failure { code, message, retryable, after_ms: None })
                }
            }
        }
    }

    impl From<Chunk> for journal::Chunk {
        fn from(Chunk { entries, logs, steps }: Chunk) -> Self {
            let entry = |Entry { key, kind, fingerprint, outcome, at }| journal::Entry {
                key,
                kind,
                fingerprint,
                outcome: outcome.into(),
                at,
            };
            Self { entries: entries.into_iter().map(entry).collect(), logs, steps }
        }
    }
}

#[cfg(test)]
mod tests {
    use signalbox_core::Digest;
    use signalbox_core::clock::Timestamp;
    use signalbox_core::codes::Code;
    use signalbox_core::journal::{Failure, Key, Level, LogLine};
    use signalbox_core::run::{State, StepRecord};

    use super::*;

    fn logs() -> Vec<LogLine> {
        let (at, level) = (Timestamp(6), Level::Warn);
        vec![LogLine { at, level, step: "a".into(), message: "behind the entries".into() }]
    }

    fn steps() -> Vec<StepRecord> {
        vec![StepRecord {
            id: "a".into(),
            state: State::Failed,
            attempt: 1,
            started_at: Timestamp(2),
            duration_us: 3,
            error: Some("SB0509: busy".into()),
        }]
    }

    /// A chunk as the first version wrote it, byte for byte.
    fn old() -> first::Chunk {
        let entry = |ordinal, outcome| first::Entry {
            key: Key { scope: "a#0".into(), attempt: 1, ordinal },
            kind: "http".into(),
            fingerprint: Digest::of(b"request"),
            outcome,
            at: Timestamp(5),
        };
        let failure =
            first::Failure { code: Code::EffectFailed, message: "busy".into(), retryable: true };
        first::Chunk {
            entries: vec![
                entry(0, first::Outcome::Failed(failure)),
                entry(1, first::Outcome::Done(vec![1, 2])),
                entry(2, first::Outcome::Pending),
            ],
            logs: logs(),
            steps: steps(),
        }
    }

    #[test]
    fn what_the_first_version_wrote_is_read() {
        let bytes = postcard::to_stdvec(&old()).unwrap();
        let chunk: Chunk = read(1, &bytes).unwrap();
        let failure = Failure::transient(Code::EffectFailed, "busy");
        let outcomes: Vec<_> = chunk.entries.iter().map(|entry| &entry.outcome).collect();
        let expected =
            [Outcome::Failed(failure.clone()), Outcome::Done(vec![1, 2]), Outcome::Pending];
        assert_eq!(outcomes, expected.iter().collect::<Vec<_>>());
        assert_eq!((chunk.logs, chunk.steps), (logs(), steps()));
        assert!(read::<Chunk>(FORMAT, &bytes).is_err(), "the forms differ");
        // An answer of that version: its last field was `retryable`.
        let bytes = [b"\x02\x06SB0509\x04busy".as_slice(), b"\x01"].concat();
        let expected = Outcome::Failed(failure);
        assert_eq!(read::<Outcome>(1, &bytes).unwrap(), expected);
        assert!(read::<Outcome>(9, &bytes).is_err());
    }
}

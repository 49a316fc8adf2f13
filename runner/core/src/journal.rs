//! The journal: the ordered record of a run's effects and their outcomes.

use std::borrow::Cow;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::ids::Digest;
pub use crate::text::cut;

/// Version of the form of entries and outcomes, kept wherever they are. Format 1 had no
/// [`Failure::after_ms`].
pub const FORMAT: u32 = 2;

/// Where in its run an effect stands. Two executions of the same run give the same keys.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Key {
    /// Path of the steps around it: `deliver#0/page#2`; empty outside of any step.
    pub scope: String,
    /// The attempt of the step, or of the run outside of steps; from 1.
    pub attempt: u32,
    /// How many effects the scope had before, in this attempt.
    pub ordinal: u32,
}

impl Key {
    /// The scope without the tries of its steps: the same for every try.
    pub fn place(&self) -> Cow<'_, str> {
        place(&self.scope)
    }
}

/// A path of scopes without the tries in it. The second try of a step has the path `deliver#0@2`,
/// that of an item `deliver#0/[3]@2`. A step's own name is never touched: it may have an `@`, but
/// is followed by its `#`.
pub fn place(path: &str) -> Cow<'_, str> {
    if !path.contains('@') {
        return Cow::Borrowed(path);
    }
    let parts = path.split('/').map(|part| {
        let name = part.rfind('#').unwrap_or(0);
        part[name..].find('@').map_or(part, |at| &part[..name + at])
    });
    Cow::Owned(parts.collect::<Vec<_>>().join("/"))
}

/// What happened to an effect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// It was asked for and its result is not known: a call that is waited for, or an
    /// at-most-once effect that was under way when the runner died.
    Pending,
    /// Its result: a value in canonical bytes.
    Done(Vec<u8>),
    /// It failed.
    Failed(Failure),
}

/// How something failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The error code.
    pub code: crate::codes::Code,
    /// What went wrong, for people; at most 4 KiB.
    pub message: String,
    /// Whether trying again can help.
    pub retryable: bool,
    /// How long the other side wants to be left alone (Retry-After), in milliseconds.
    pub after_ms: Option<u64>,
}

impl Failure {
    /// A failure that trying again does not mend.
    pub fn permanent(code: crate::codes::Code, message: impl Into<String>) -> Self {
        Self { code, message: cut(message.into(), 4096), retryable: false, after_ms: None }
    }

    /// A failure that trying again may mend.
    pub fn transient(code: crate::codes::Code, message: impl Into<String>) -> Self {
        Self { code, message: cut(message.into(), 4096), retryable: true, after_ms: None }
    }

    /// The same, with the pause that the other side asks for.
    #[must_use]
    pub fn after(self, pause: Duration) -> Self {
        Self { after_ms: Some(u64::try_from(pause.as_millis()).unwrap_or(u64::MAX)), ..self }
    }
}

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Where it stands.
    pub key: Key,
    /// The host function: `http::get`, `step`, `log`, ...
    pub kind: String,
    /// Digest of the request: a replay that asks for something else is `incompatible`.
    pub fingerprint: Digest,
    /// What happened.
    pub outcome: Outcome,
    /// When it was recorded.
    pub at: Timestamp,
}

/// How much a log line matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// For whoever looks very closely.
    Trace,
    /// What happens.
    Info,
    /// What somebody should look at.
    Warn,
    /// What went wrong.
    Error,
}

/// One log line of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    /// When.
    pub at: Timestamp,
    /// How much it matters.
    pub level: Level,
    /// The step it was written in; empty outside of steps.
    pub step: String,
    /// The text, one line or more.
    pub message: String,
}

/// What one commit adds to the record of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chunk {
    /// Effects and their outcomes.
    pub entries: Vec<Entry>,
    /// Log lines.
    pub logs: Vec<LogLine>,
    /// Steps that ended.
    pub steps: Vec<crate::run::StepRecord>,
}

impl Chunk {
    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.logs.is_empty() && self.steps.is_empty()
    }

    /// Adds another chunk behind this one.
    pub fn extend(&mut self, other: Self) {
        self.entries.extend(other.entries);
        self.logs.extend(other.logs);
        self.steps.extend(other.steps);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_the_same_for_every_try() {
        for (path, expected) in [
            ("", ""),
            ("deliver#0", "deliver#0"),
            ("deliver#0@2", "deliver#0"),
            ("deliver#0@2/[3]@4/page#1@12", "deliver#0/[3]/page#1"),
            ("a@2#0@3/#1/[0]", "a@2#0/#1/[0]"),
            ("a@2#0/b@c#1", "a@2#0/b@c#1"),
        ] {
            assert_eq!(place(path), expected);
        }
    }
}

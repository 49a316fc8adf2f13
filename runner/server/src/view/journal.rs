//! The record of a run: effects and log lines.

use serde::Serialize;
use serde_json::Value;
use signalbox_core::journal::{Entry, Failure, Level, LogLine, Outcome};
use signalbox_core::value::DecodeError;
use utoipa::ToSchema;

use super::json;

/// An effect of a run and what came of it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = JournalEntry)]
pub(crate) struct EntryJson {
    /// Path of the steps around it; empty outside of steps.
    scope: String,
    /// Attempt of the step, from 1.
    attempt: u32,
    /// How many effects the scope had before.
    ordinal: u32,
    /// The host function.
    kind: String,
    /// Digest of the request.
    fingerprint: String,
    /// `pending`, `done` or `failed`.
    state: &'static str,
    /// The result, once it is done.
    value: Option<Value>,
    /// How it failed.
    error: Option<FailureJson>,
    at: String,
}

/// How an effect failed.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Failure)]
pub(crate) struct FailureJson {
    /// `SB....`
    code: &'static str,
    message: String,
    /// Whether trying again can help.
    retryable: bool,
}

/// A log line of a run.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LogLine)]
pub(crate) struct LogLineJson {
    at: String,
    /// `trace`, `info`, `warn` or `error`.
    level: &'static str,
    /// The step it was written in; empty outside of steps.
    step: String,
    message: String,
}

impl TryFrom<&Entry> for EntryJson {
    type Error = DecodeError;

    fn try_from(entry: &Entry) -> Result<Self, DecodeError> {
        let (state, value, error) = match &entry.outcome {
            Outcome::Pending => ("pending", None, None),
            Outcome::Done(bytes) => ("done", Some(json(bytes)?), None),
            Outcome::Failed(failure) => ("failed", None, Some(failure.into())),
        };
        Ok(Self {
            scope: entry.key.scope.clone(),
            attempt: entry.key.attempt,
            ordinal: entry.key.ordinal,
            kind: entry.kind.clone(),
            fingerprint: entry.fingerprint.to_string(),
            state,
            value,
            error,
            at: entry.at.to_string(),
        })
    }
}

impl From<&Failure> for FailureJson {
    fn from(failure: &Failure) -> Self {
        Self {
            code: failure.code.as_str(),
            message: failure.message.clone(),
            retryable: failure.retryable,
        }
    }
}

impl From<&LogLine> for LogLineJson {
    fn from(line: &LogLine) -> Self {
        Self {
            at: line.at.to_string(),
            level: level(line.level),
            step: line.step.clone(),
            message: line.message.clone(),
        }
    }
}

/// A level's name.
pub(crate) fn level(level: Level) -> &'static str {
    match level {
        Level::Trace => "trace",
        Level::Info => "info",
        Level::Warn => "warn",
        Level::Error => "error",
    }
}

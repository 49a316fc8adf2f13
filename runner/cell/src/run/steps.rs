//! Steps: named parts of a run whose results are kept.
//!
//! A step's result is recorded in the step's own scope under an ordinal that no effect reaches.
//! So a step that succeeded in any attempt is found by its path alone, while a failure, like every
//! effect, is only found in the attempt that it belongs to.

use std::collections::HashMap;
use std::time::Instant;

use signalbox_core::clock::Timestamp;
use signalbox_core::codes::Code;
use signalbox_core::journal::{Failure, Key, Outcome};
use signalbox_core::run::{State, StepRecord};
use signalbox_core::value::{decode, encode};
use signalbox_core::{Digest, Value};

use super::replay::{RESULT, SKIPPED, STEP};
use super::{MAX_RESULT, Run, Stop};
use crate::fault::Place;
use crate::protocol::malformed_value;

/// Longest path of a scope, in bytes: every journal entry carries one.
const MAX_PATH: usize = 1000;

/// Where effects are counted: the flow itself, or a step.
#[derive(Debug)]
pub(crate) struct Scope {
    /// The path in keys: `deliver#0/page#2`.
    pub(super) path: String,
    /// The path as shown: `deliver/page#2`.
    pub(super) shown: String,
    /// How many effects it had.
    pub(super) ordinal: u32,
    /// When it began, in whichever evaluation that was.
    pub(super) started_at: Timestamp,
    began: Instant,
    /// How often each step was begun in it.
    occurrences: HashMap<String, u32>,
}

/// What is to be done about a step.
#[derive(Debug)]
pub(crate) enum Begin {
    /// It has this result already.
    Kept(Value),
    /// It failed in this attempt already.
    Failed(Failure),
    /// Execute it, then call [`Run::end_step`].
    Execute,
}

impl Scope {
    pub(super) fn root() -> Self {
        Self::new(String::new(), String::new())
    }

    fn new(path: String, shown: String) -> Self {
        Self {
            path,
            shown,
            ordinal: 0,
            started_at: crate::clock::now(),
            began: Instant::now(),
            occurrences: HashMap::new(),
        }
    }

    /// The scope of a step's next occurrence in this one.
    fn enter(&mut self, name: &str) -> Self {
        let name: String = name
            .chars()
            .map(|c| if matches!(c, '/' | '#') || c.is_control() { '_' } else { c })
            .collect();
        let count = self.occurrences.entry(name.clone()).or_default();
        let occurrence = std::mem::replace(count, *count + 1);
        let slash = if self.path.is_empty() { "" } else { "/" };
        let path = format!("{}{slash}{name}#{occurrence}", self.path);
        let shown = match occurrence {
            0 => format!("{}{slash}{name}", self.shown),
            _ => format!("{}{slash}{name}#{occurrence}", self.shown),
        };
        Self::new(path, shown)
    }
}

impl Run {
    /// Begins a step. `None`: the run must stop.
    pub(crate) fn begin_step(&mut self, name: &str) -> Option<Begin> {
        // A step takes an ordinal of the scope around it, so that its place among effects counts.
        self.next_key()?;
        let scope = self.scopes.last_mut()?.enter(name);
        if scope.path.len() > MAX_PATH {
            self.set_stop(Stop::Limit(format!("a path of steps longer than {MAX_PATH} bytes")));
            return None;
        }
        if let Some(bytes) = self.replay.kept(&scope.path) {
            let value = decode(bytes);
            return Some(value.map_or_else(|_| Begin::Failed(malformed_value()), Begin::Kept));
        }
        let key = self.result_key(&scope.path);
        self.scopes.push(scope);
        match self.recorded(&key, STEP, fingerprint(&key.scope))? {
            Some(Outcome::Failed(failure)) => {
                self.scopes.pop();
                Some(Begin::Failed(failure))
            }
            // A success was found above; a step is never pending.
            _ => Some(Begin::Execute),
        }
    }

    /// Ends the step that was begun last, well. Fails the step when its result is too large.
    pub(crate) fn end_step(&mut self, result: &Value) -> Result<(), Failure> {
        let bytes = encode(result);
        if bytes.len() > MAX_RESULT {
            let message = format!(
                "the result of a step has {} bytes, over the bound of {MAX_RESULT}",
                bytes.len()
            );
            return Err(Failure::permanent(Code::LimitExceeded, message));
        }
        if let Some(scope) = self.scopes.pop() {
            let key = self.result_key(&scope.path);
            let print = fingerprint(&scope.path);
            self.record(key, STEP, print, Outcome::Done(bytes));
            self.note(&scope, State::Succeeded, None);
        }
        Ok(())
    }

    /// Ends the step that was begun last with a failure that a script may catch.
    pub(crate) fn fail_step(&mut self, failure: Failure, place: Option<Place>) {
        let Some(scope) = self.scopes.pop() else { return };
        let key = self.result_key(&scope.path);
        let print = fingerprint(&scope.path);
        let text = format!("{}: {}", failure.code, failure.message);
        self.note(&scope, State::Failed, Some(text.clone()));
        self.place = place.map(|place| (text, place));
        self.record(key, STEP, print, Outcome::Failed(failure));
    }

    /// Ends the step that was begun last with an error that ends the run too. There is no entry: a
    /// replay comes to the same end by itself, and knows the place of the error.
    pub(crate) fn abandon_step(&mut self, error: String) {
        if let Some(scope) = self.scopes.pop() {
            self.note(&scope, State::Failed, Some(error));
        }
    }

    /// Leaves the step that was begun last without a word: the run is being stopped.
    pub(crate) fn leave_step(&mut self) {
        self.scopes.pop();
    }

    /// Notes a step that was not to be executed. `None`: the run must stop.
    pub(crate) fn skip_step(&mut self, name: &str) -> Option<()> {
        self.next_key()?;
        let scope = self.scopes.last_mut()?.enter(name);
        let key = self.result_key(&scope.path);
        let print = fingerprint(&scope.path);
        if self.recorded(&key, SKIPPED, print)?.is_none() {
            self.record(key, SKIPPED, print, Outcome::Done(encode(&Value::Null)));
            self.note(&scope, State::Skipped, None);
        }
        Some(())
    }

    fn result_key(&self, path: &str) -> Key {
        Key { scope: path.to_owned(), attempt: self.start.about.attempt, ordinal: RESULT }
    }

    fn note(&mut self, scope: &Scope, state: State, error: Option<String>) {
        let duration = i64::try_from(scope.began.elapsed().as_micros()).unwrap_or(i64::MAX);
        self.wait_for_record(scope.shown.len() + 64);
        self.chunk.steps.push(StepRecord {
            id: scope.shown.clone(),
            state,
            attempt: self.start.about.attempt,
            started_at: scope.started_at,
            duration_us: duration,
            error,
        });
    }
}

fn fingerprint(path: &str) -> Digest {
    Digest::of_parts([STEP.as_bytes(), path.as_bytes()])
}

//! Steps: named parts of a run whose results are kept.
//!
//! A step's result is recorded in the step's own scope under an ordinal that no effect reaches.
//! So a step that succeeded in any attempt is found by its path alone, while a failure, like every
//! effect, is only found in the attempt that it belongs to.

use signalbox_core::codes::Code;
use signalbox_core::journal::{Failure, Key, Outcome};
use signalbox_core::run::{State, StepRecord};
use signalbox_core::value::{decode, encode};
use signalbox_core::{Digest, Value};

use super::replay::{RESULT, SKIPPED, STEP};
use super::{MAX_RESULT, Run, Scope, Spot, Stop};
use crate::fault::Place;
use crate::protocol::malformed_value;

/// Longest path of a scope, in bytes: every journal entry carries one.
const MAX_PATH: usize = 1000;

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

impl Run {
    /// Begins a step. `None`: the run must stop.
    pub(crate) fn begin_step(&mut self, name: &str) -> Option<Begin> {
        let spot = self.step_spot(name)?;
        self.begin(&spot, 1)
    }

    /// Where the next occurrence of a step stands. `None`: the run must stop.
    pub(crate) fn step_spot(&mut self, name: &str) -> Option<Spot> {
        // A step takes an ordinal of the scope around it, so that its place among effects counts.
        self.next_key()?;
        Some(self.scopes.last_mut()?.step(name))
    }

    /// Where the branches of the next `parallel` stand. `None`: the run must stop.
    pub(crate) fn parallel_spot(&mut self) -> Option<Spot> {
        self.next_key()?;
        Some(self.scopes.last_mut()?.parallel())
    }

    /// Begins a try of the step at a spot. `None`: the run must stop.
    pub(crate) fn begin(&mut self, spot: &Spot, attempt: u32) -> Option<Begin> {
        let mut scope = spot.scope(attempt);
        if scope.path.len() > MAX_PATH {
            self.set_stop(Stop::Limit(format!("a path of steps longer than {MAX_PATH} bytes")));
            return None;
        }
        if let Some(bytes) = self.replay.kept(&scope.path) {
            let value = decode(bytes);
            return Some(value.map_or_else(|_| Begin::Failed(malformed_value()), Begin::Kept));
        }
        if self.is_apart() {
            let first = (scope.began, scope.started_at);
            let first = self.begun.entry(scope.path.clone()).or_insert(first);
            (scope.began, scope.started_at) = *first;
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

    /// Counts effects in a scope that is no step's, until [`Self::leave_scope`].
    pub(crate) fn enter_scope(&mut self, scope: Scope) {
        self.scopes.push(scope);
    }

    /// Ends what [`Self::enter_scope`] began.
    pub(crate) fn leave_scope(&mut self) -> Option<Scope> {
        self.scopes.pop()
    }

    /// The innermost scope.
    pub(crate) fn scope(&self) -> Option<&Scope> {
        self.scopes.last()
    }

    /// Ends the step that was begun last, well. Fails the step when its result is too large.
    pub(crate) fn end_step(&mut self, result: &Value) -> Result<(), Failure> {
        self.succeed(result, State::Succeeded, None)
    }

    /// Ends the step that was begun last, which failed, with a result that stands for the error.
    pub(crate) fn forgive_step(&mut self, result: &Value, error: String) -> Result<(), Failure> {
        self.succeed(result, State::Failed, Some(error))
    }

    fn succeed(
        &mut self,
        result: &Value,
        state: State,
        error: Option<String>,
    ) -> Result<(), Failure> {
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
            self.note(&scope, state, error);
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
            // A branch around it may be evaluated again: then it comes to the same end once more.
            if !self.is_apart() || self.abandoned.insert(scope.path.clone()) {
                self.note(&scope, State::Failed, Some(error));
            }
        }
    }

    /// Leaves the step that was begun last without a word: the run is being stopped.
    pub(crate) fn leave_step(&mut self) {
        self.scopes.pop();
    }

    /// Notes a step that was not to be executed. `None`: the run must stop.
    pub(crate) fn skip_step(&mut self, name: &str) -> Option<()> {
        self.next_key()?;
        let scope = self.scopes.last_mut()?.step(name).branch();
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
        let duration =
            i64::try_from(crate::clock::elapsed(scope.began).as_micros()).unwrap_or(i64::MAX);
        self.wait_for_record(scope.shown.len() + 64);
        self.chunk.steps.push(StepRecord {
            id: scope.shown.clone(),
            state,
            attempt: scope.attempt,
            started_at: scope.started_at,
            duration_us: duration,
            error,
        });
    }
}

fn fingerprint(path: &str) -> Digest {
    Digest::of_parts([STEP.as_bytes(), path.as_bytes()])
}

//! Tries of a step: it is executed until it ends well, or its retry says no.
//!
//! What is decided between two tries is journaled in a scope of its own, so that a replay that
//! finds the failures of tries comes to the same pauses.

use std::time::Duration;

use signalbox_core::Value;
use signalbox_core::clock::Timestamp;
use signalbox_core::journal::Failure;
use signalbox_core::retry::Retry;

use super::flow::{Broken, Flow, Frame};
use super::program::{Code, Step};
use crate::context;
use crate::effect::{ask, cheap};
use crate::fault::{Described, HostResult};
use crate::protocol::Request;
use crate::run::{After, Begin, Late, Run, Scope, Spot};
use crate::value::to_dynamic;

/// What code sees of a failure.
pub(super) fn error_value(failure: &Failure) -> Value {
    Value::map([
        ("code", Value::from(failure.code.as_str())),
        ("message", Value::from(failure.message.as_str())),
        ("retryable", Value::Bool(failure.retryable)),
    ])
}

/// What is decided between the tries of a step.
struct Pauses<'a> {
    retry: &'a Retry,
    retry_if: Option<&'a Code>,
    /// Where it is journaled; not there while it is in use.
    scope: Option<Scope>,
    /// When the first try began, in microseconds, if that matters.
    began: Option<i64>,
}

/// Another try: what is recorded of the one before, and the pause between them.
struct Again {
    failure: Failure,
    pause: Duration,
}

impl Flow<'_> {
    /// Evaluates a step, an item or a round until it ends well or is not tried again, and keeps its
    /// result.
    pub(super) fn tries(
        &self,
        step: &Step,
        spot: &Spot,
        frame: &Frame,
        act: &dyn Fn() -> Result<Value, Broken>,
    ) -> Result<Value, Broken> {
        let Some(retry) = &step.retry else { return self.attempts(step, spot, None, frame, act) };
        let pauses = Pauses {
            retry,
            retry_if: step.retry_if.as_ref(),
            scope: Some(spot.pauses()),
            began: None,
        };
        context::with(|state| state.run().map(Run::begin_tries));
        let result = self.attempts(step, spot, Some(pauses), frame, act);
        context::with(|state| state.run().map(Run::end_tries));
        result
    }

    fn attempts(
        &self,
        step: &Step,
        spot: &Spot,
        mut pauses: Option<Pauses<'_>>,
        frame: &Frame,
        act: &dyn Fn() -> Result<Value, Broken>,
    ) -> Result<Value, Broken> {
        let mut attempt = 1;
        loop {
            let known = match self.with_run(|run| run.begin(spot, attempt))? {
                Begin::Kept(value) => return Ok(value),
                Begin::Failed(failure) => Some(failure),
                Begin::Execute => None,
            };
            if let Some(pauses) = pauses.as_mut().filter(|_| attempt == 1) {
                pauses.begin(self)?;
            }
            let executed = match &known {
                Some(_) => None,
                None => match self.timed(step, step.repeat.is_none(), act) {
                    Err(Broken::Error(described)) if !described.limit => Some(described),
                    result => return self.close(step, result),
                },
            };
            let (failure, after) = match known {
                Some(failure) => (failure, None),
                None => self.failure_of(executed.as_ref())?,
            };
            let again = pauses
                .as_mut()
                .map(|pauses| pauses.decide(self, attempt, (failure.clone(), after), frame));
            match (again.transpose(), executed) {
                (Ok(Some(Some(Again { failure, pause }))), executed) => {
                    if let Some(described) = executed {
                        let place = described.place;
                        self.with_run(|run| {
                            run.fail_step(failure, place);
                            Some(())
                        })?;
                    }
                    if let Some(pauses) = &mut pauses {
                        pauses.sleep(self, pause)?;
                    }
                }
                (Ok(Some(None) | None), Some(described)) => {
                    return self.close(step, Err(Broken::Error(described)));
                }
                (Ok(Some(None) | None), None) => return Err(self.failed(failure, step.line)),
                (Err(broken), Some(_)) => return self.close(step, Err(broken)),
                (Err(broken), None) => return Err(broken),
            }
            attempt += 1;
        }
    }

    /// Does what a step does within its time.
    pub(super) fn timed(
        &self,
        step: &Step,
        whole: bool,
        act: &dyn Fn() -> Result<Value, Broken>,
    ) -> Result<Value, Broken> {
        let Some(limit) = step.timeout.filter(|_| whole) else { return act() };
        self.with_run(|run| run.begin_timed(limit))?;
        let result = act();
        let late = context::with(|state| state.run().and_then(Run::end_timed)).flatten();
        let Some(Late { failure, path }) = late else { return result };
        await_branches(&path)?;
        Err(self.failed(failure, step.line))
    }

    /// What a step failed with, and what a response in it said about being asked again.
    fn failure_of(
        &self,
        described: Option<&Described>,
    ) -> Result<(Failure, Option<After>), Broken> {
        let text = described.map_or("", |described| &described.text);
        self.with_run(|run| Some((run.failure_of(text), run.after())))
    }

    /// Ends the step that was begun last: with its result, or with what stands for its error.
    pub(super) fn close(
        &self,
        step: &Step,
        result: Result<Value, Broken>,
    ) -> Result<Value, Broken> {
        let kept = result.and_then(|value| {
            let ended = self.with_run(|run| Some(run.end_step(&value)))?;
            ended.map_err(|failure| self.failed(failure, step.line))?;
            Ok(value)
        });
        let described = match kept {
            Err(Broken::Error(described)) => described,
            kept => return kept,
        };
        let text = described.text.clone();
        if !step.continue_on_error || described.limit {
            let place = described.place.clone();
            context::with(|state| state.run().map(|run| run.give_up_step(text, place)));
            return Err(Broken::Error(described));
        }
        let (failure, _) = self.failure_of(Some(&described))?;
        let value = Value::map([("error", error_value(&failure))]);
        let ended = self.with_run(|run| Some(run.forgive_step(&value, text)))?;
        ended.map_err(|failure| self.failed(failure, step.line))?;
        Ok(value)
    }
}

impl Pauses<'_> {
    /// Remembers when the first try began, if there is a budget.
    fn begin(&mut self, flow: &Flow<'_>) -> Result<(), Broken> {
        if self.retry.budget.is_some() {
            self.began = Some(self.journaled(flow, present)?);
        }
        Ok(())
    }

    /// Whether there is another try after one that failed.
    fn decide(
        &mut self,
        flow: &Flow<'_>,
        attempt: u32,
        (failure, after): (Failure, Option<After>),
        frame: &Frame,
    ) -> Result<Option<Again>, Broken> {
        if attempt >= self.retry.attempts || !failure.retryable {
            return Ok(None);
        }
        if let Some(retry_if) = self.retry_if {
            let frame = frame.with(["error"], [to_dynamic(error_value(&failure))]);
            let holds = self.in_scope(|| flow.holds(retry_if, "retry_if", &frame))?;
            if !holds {
                return Ok(None);
            }
        }
        let now = self.journaled(flow, present)?;
        let chance = if self.retry.jitter { self.journaled(flow, chance)? } else { 1.0 };
        let failure = match after {
            Some(after) if failure.after_ms.is_none() => {
                failure.after(after.length(Timestamp(now)))
            }
            _ => failure,
        };
        let spent = self.began.map_or(Duration::ZERO, |began| micros(now - began));
        let pause = self.retry.pause(attempt, &failure, spent, chance);
        Ok(pause.map(|pause| Again { failure, pause }))
    }

    fn sleep(&mut self, flow: &Flow<'_>, pause: Duration) -> Result<(), Broken> {
        let micros = i64::try_from(pause.as_micros()).unwrap_or(i64::MAX);
        if micros == 0 {
            return Ok(());
        }
        self.journaled(flow, || ask(Request::Sleep { micros }).map(drop))
    }

    fn journaled<T>(
        &mut self,
        flow: &Flow<'_>,
        effect: impl FnOnce() -> HostResult<T>,
    ) -> Result<T, Broken> {
        self.in_scope(|| effect().map_err(|error| Broken::of(&error, &flow.program.file)))
    }

    fn in_scope<T>(&mut self, act: impl FnOnce() -> T) -> T {
        let scope = self.scope.take();
        context::with(|state| {
            if let (Some(run), Some(scope)) = (state.run(), scope) {
                run.enter_scope(scope);
            }
        });
        let result = act();
        self.scope = context::with(|state| state.run()?.leave_scope()).flatten();
        result
    }
}

/// Waits until nothing is under way any more that branches of a try have asked for.
fn await_branches(path: &str) -> Result<(), Broken> {
    loop {
        let more = context::with(|state| {
            let run = state.run()?;
            let asked = run.asked_in(path);
            if asked.is_empty() {
                return Some(false);
            }
            if run.is_apart() {
                run.wait_for_any(asked);
                return None;
            }
            state.wait_for_any().map(|()| true)
        });
        match more.flatten() {
            Some(true) => {}
            Some(false) => return Ok(()),
            None => return Err(Broken::Stopped(None)),
        }
    }
}

fn present() -> HostResult<i64> {
    let now = cheap("now", b"micros", |_| Value::Int(crate::clock::now().0))?;
    Ok(now.as_int().unwrap_or_default())
}

fn chance() -> HostResult<f64> {
    let chance = cheap("random", &[], |run| Value::Float(run.random.unit()))?;
    Ok(if let Value::Float(chance) = chance { chance } else { 1.0 })
}

fn micros(micros: i64) -> Duration {
    Duration::from_micros(u64::try_from(micros).unwrap_or(0))
}

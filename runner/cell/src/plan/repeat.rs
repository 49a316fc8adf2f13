//! Steps that are repeated: `foreach` and `while`.

use rhai::{Dynamic, INT};
use signalbox_core::Value;
use signalbox_core::codes::Code as ErrorCode;
use signalbox_core::journal::Failure;

use super::flow::{Broken, Flow, Frame, wrong};
use super::list::{End, first_error};
use super::program::{Code, EACH, ROUND, Repeat, Step};
use crate::branch::{Work, side_by_side};
use crate::run::{Aftermath, Begin, Run, Scope, Spot};
use crate::value::to_dynamic;

impl Flow<'_> {
    /// Evaluates all items or rounds of a step. Each is kept by itself, and so is their result.
    pub(super) fn repeated(
        &self,
        step: &Step,
        repeat: &Repeat,
        spot: &Spot,
        frame: &Frame,
    ) -> Result<Value, Broken> {
        match self.with_run(|run| run.begin(spot, 1))? {
            Begin::Kept(value) => return Ok(value),
            Begin::Failed(failure) => return Err(self.failed(failure, step.line)),
            Begin::Execute => {}
        }
        let result = self.timed(step, true, &|| match repeat {
            Repeat::Foreach { items, parallel } => {
                let evaluate = |list| {
                    let items = Items { flow: self, step, spot, frame, list, ends: Vec::new() };
                    items.evaluate(*parallel)
                };
                self.items(items, frame).and_then(evaluate)
            }
            Repeat::While { condition, max, stops } => {
                let rounds = Rounds { flow: self, step, spot, frame, stops: *stops };
                rounds.evaluate(condition, *max)
            }
        });
        self.close(step, result)
    }

    fn items(&self, code: &Code, frame: &Frame) -> Result<Vec<Value>, Broken> {
        match self.value_of(code, frame)? {
            Value::List(items) => Ok(items),
            other => {
                let kind = other.kind();
                Err(wrong(code, format!("`foreach` must give a list, not a value of type {kind}")))
            }
        }
    }
}

struct Items<'a, 'f> {
    flow: &'a Flow<'f>,
    step: &'a Step,
    spot: &'a Spot,
    frame: &'a Frame,
    list: Vec<Value>,
    ends: Vec<Option<End<Value>>>,
}

impl Items<'_, '_> {
    fn evaluate(mut self, parallel: usize) -> Result<Value, Broken> {
        let count = self.list.len();
        if parallel <= 1 {
            let results = (0..count).map(|index| self.item(index)).collect::<Result<_, _>>();
            return results.map(Value::List);
        }
        self.ends.resize_with(count, || None);
        side_by_side(&mut self, count, parallel).ok_or(Broken::Stopped(None))?;
        first_error(self.ends.into_iter().flatten()).map(Value::List)
    }

    fn item(&self, index: usize) -> Result<Value, Broken> {
        let (flow, step) = (self.flow, self.step);
        let values = [to_dynamic(self.list[index].clone()), number(index)];
        let frame = self.frame.with(EACH, values);
        let spot = self.spot.item(index);
        flow.with_run(Run::count_entry)?;
        flow.tries(step, &spot, &frame, &|| Ok(flow.act(step, &frame)?.last))
    }
}

impl Work for Items<'_, '_> {
    type Result = Result<Value, Broken>;

    fn may_begin(&self, _: usize) -> bool {
        true
    }

    fn scope(&self, index: usize) -> Scope {
        self.spot.item(index).branch()
    }

    fn evaluate(&mut self, index: usize) -> Self::Result {
        self.item(index)
    }

    fn take(&mut self, index: usize, result: Self::Result, aftermath: Aftermath) {
        self.ends[index] = Some((result, aftermath));
    }
}

struct Rounds<'a, 'f> {
    flow: &'a Flow<'f>,
    step: &'a Step,
    spot: &'a Spot,
    frame: &'a Frame,
    stops: bool,
}

impl Rounds<'_, '_> {
    fn evaluate(&self, condition: &Code, max: u32) -> Result<Value, Broken> {
        let mut last = Value::Null;
        for round in 0..=max as usize {
            let frame = self.frame.with(ROUND, [number(round), to_dynamic(last.clone())]);
            if !self.flow.holds(condition, "while", &frame)? {
                return Ok(last);
            }
            if round == max as usize {
                break;
            }
            let (result, stopped) = self.round(round, &frame)?;
            last = result;
            if stopped {
                return Ok(last);
            }
        }
        let message = format!("`while` still holds after {max} rounds, which is its `max`");
        let failure = Failure::permanent(ErrorCode::LimitExceeded, message);
        Err(self.flow.failed(failure, self.step.line))
    }

    /// A round's result, and whether it ends the loop. When it can, both are kept together.
    fn round(&self, round: usize, frame: &Frame) -> Result<(Value, bool), Broken> {
        let (flow, step, stops) = (self.flow, self.step, self.stops);
        flow.with_run(Run::count_entry)?;
        let result = flow.tries(step, &self.spot.item(round), frame, &|| {
            let listed = flow.act(step, frame)?;
            Ok(if stops {
                Value::List(vec![listed.last, Value::Bool(listed.stopped)])
            } else {
                listed.last
            })
        })?;
        Ok(match result {
            Value::List(mut pair) if stops => {
                let stopped = pair.pop() == Some(Value::Bool(true));
                (pair.pop().unwrap_or_default(), stopped)
            }
            // The error of a round that the loop goes on after.
            other => (other, false),
        })
    }
}

fn number(number: usize) -> Dynamic {
    INT::try_from(number).unwrap_or(INT::MAX).into()
}

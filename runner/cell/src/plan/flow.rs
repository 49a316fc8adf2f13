//! What every part of a plan is evaluated with.

use std::rc::Rc;

use rhai::{Dynamic, Engine, EvalAltResult, Map, Scope};
use signalbox_core::Value;
use signalbox_core::codes::Code as ErrorCode;
use signalbox_core::journal::Failure;

use super::program::{Code, Program};
use super::template::Template;
use crate::context;
use crate::fault::{Described, HostResult, NOWHERE, Place, describe, inline_source, thrown};
use crate::run::{MAX_RESULT, Run};
use crate::value::{refuse_secrets, to_dynamic, to_value};

/// Why a plan has no result.
pub(crate) enum Broken {
    /// The run, or the branch, must stop; its flag says why. With where it was noticed, unless the
    /// script swallowed that.
    Stopped(Option<Place>),
    /// An error that nothing caught.
    Error(Described),
}

impl Broken {
    pub(super) fn of(error: &EvalAltResult, source: &str) -> Self {
        let described = describe(error, source);
        if context::is_stopped() { Self::Stopped(described.place) } else { Self::Error(described) }
    }
}

/// A program that is evaluated.
pub(super) struct Flow<'a> {
    pub(super) engine: &'a Engine,
    pub(super) program: &'a Program,
    pub(super) inputs: Dynamic,
}

/// What code sees beside the inputs.
#[derive(Clone, Default)]
pub(super) struct Frame {
    /// Results of steps by id. Every item of a `foreach` has a frame: they share them.
    steps: Rc<Map>,
    /// `item` and `index`, `error`, ...
    names: Vec<(&'static str, Dynamic)>,
}

impl Frame {
    /// The same with more names.
    pub(super) fn with<const N: usize>(
        &self,
        names: [&'static str; N],
        values: [Dynamic; N],
    ) -> Self {
        let mut frame = self.clone();
        frame.names.extend(names.into_iter().zip(values));
        frame
    }

    /// Adds the result of a step.
    pub(super) fn add(&mut self, id: &str, result: Value) {
        Rc::make_mut(&mut self.steps).insert(id.into(), to_dynamic(result));
    }
}

impl Flow<'_> {
    /// Whether an expression, called `what` in messages, is true.
    pub(super) fn holds(&self, code: &Code, what: &str, frame: &Frame) -> Result<bool, Broken> {
        match self.value_of(code, frame)? {
            Value::Bool(truth) => Ok(truth),
            other => {
                let kind = other.kind();
                Err(wrong(code, format!("`{what}` must be true or false, not of type {kind}")))
            }
        }
    }

    pub(super) fn fill(
        &self,
        template: &Template,
        line: u32,
        frame: &Frame,
    ) -> Result<Value, Broken> {
        let value = template.fill(&mut |code| self.value_of(code, frame))?;
        if value.depth() > signalbox_core::value::MAX_DEPTH {
            let failure =
                Failure::permanent(ErrorCode::BadValue, "a template's value is nested too deep");
            return Err(self.failed(failure, line));
        }
        Ok(value)
    }

    pub(super) fn value_of(&self, code: &Code, frame: &Frame) -> Result<Value, Broken> {
        let mut scope = Scope::new();
        scope.push_constant_dynamic("inputs", self.inputs.clone());
        let steps = if code.sees_steps { Map::clone(&frame.steps) } else { Map::new() };
        scope.push_constant_dynamic("steps", Dynamic::from_map(steps));
        for (name, value) in &frame.names {
            scope.push_constant_dynamic(*name, value.clone());
        }
        leave(self.engine.eval_ast_with_scope(&mut scope, &code.ast), code)
    }

    pub(super) fn encode(&self, result: &Value) -> Result<Vec<u8>, Broken> {
        let bytes = signalbox_core::value::encode(result);
        if bytes.len() <= MAX_RESULT {
            return Ok(bytes);
        }
        let message =
            format!("a result of {} bytes is over the bound of {MAX_RESULT}", bytes.len());
        Err(self.failed(Failure::permanent(ErrorCode::LimitExceeded, message), 1))
    }

    /// Does something with the run. A `None` is that it, or the branch, must stop.
    pub(super) fn with_run<T>(&self, act: impl FnOnce(&mut Run) -> Option<T>) -> Result<T, Broken> {
        context::effect(|state| act(state.run()?))
            .map_err(|error| Broken::of(&error, &self.program.file))
    }

    /// A failure that is nobody's code's.
    pub(super) fn failed(&self, failure: Failure, line: u32) -> Broken {
        let text = describe(&thrown(&failure), "").text;
        drop(context::throw(failure));
        let place = Place { file: self.program.file.clone(), line, column: 1 };
        Broken::Error(Described { text, place: Some(place), limit: false })
    }

    pub(super) fn source(&self, line: u32) -> String {
        inline_source(&self.program.file, line)
    }
}

/// An error of what some code gave.
pub(super) fn wrong(code: &Code, message: String) -> Broken {
    let error = EvalAltResult::ErrorRuntime(message.into(), NOWHERE);
    Broken::of(&error, &code.source)
}

/// A script's result leaves the script.
pub(super) fn leave(result: HostResult<Dynamic>, code: &Code) -> Result<Value, Broken> {
    let result = result.and_then(|value| {
        let value = to_value(&value).and_then(|value| {
            refuse_secrets(&value, "a result")?;
            Ok(value)
        });
        value.map_err(context::throw)
    });
    // A script can swallow what stops it: only the flag counts.
    match result {
        Ok(_) if context::is_stopped() => Err(Broken::Stopped(None)),
        Ok(value) => Ok(value),
        Err(error) => Err(Broken::of(&error, &code.source)),
    }
}

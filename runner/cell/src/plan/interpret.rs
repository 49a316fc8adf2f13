//! Evaluates a plan, with the same steps as the script function `step`.

use rhai::{CallFnOptions, Dynamic, Engine, EvalAltResult, Map, Scope};
use signalbox_core::Value;
use signalbox_core::codes::Code as ErrorCode;
use signalbox_core::journal::Failure;

use super::program::{Code, Compiled, Program, Step};
use super::template::Template;
use crate::context;
use crate::fault::{Described, HostResult, NOWHERE, Place, describe, inline_source, thrown};
use crate::run::{Begin, MAX_RESULT, Run};
use crate::value::{refuse_secrets, to_dynamic, to_value};

/// Why a plan has no result.
pub(crate) enum Broken {
    /// The run must stop; its flag says why. With where it was noticed, unless the script swallowed
    /// that.
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

/// Evaluates a program in the run that has begun. The result is in canonical bytes.
///
/// # Errors
/// An error of the flow, or that the run must stop.
pub(crate) fn evaluate(
    engine: &Engine,
    program: &Program,
    inputs: Value,
) -> Result<Vec<u8>, Broken> {
    let mut flow = Flow { engine, program, inputs: to_dynamic(inputs), steps: Map::new() };
    let mut last = Value::Null;
    match program.steps.as_slice() {
        // Nothing is kept of a single step: it is the run.
        [only] if only.when.is_none() => {
            last = flow.act(only)?;
            if program.output.is_some() {
                flow.steps.insert(only.id.as_str().into(), to_dynamic(last.clone()));
            }
        }
        steps => {
            for step in steps {
                last = flow.step(step)?;
                flow.steps.insert(step.id.as_str().into(), to_dynamic(last.clone()));
            }
        }
    }
    let result = match &program.output {
        Some(output) => flow.fill(output, 1)?,
        None => last,
    };
    flow.encode(&result)
}

struct Flow<'a> {
    engine: &'a Engine,
    program: &'a Program,
    inputs: Dynamic,
    /// Results by id.
    steps: Map,
}

impl Flow<'_> {
    fn step(&self, step: &Step) -> Result<Value, Broken> {
        if let Some(when) = &step.when
            && !self.holds(when)?
        {
            self.with_run(|run| run.skip_step(&step.id))?;
            return Ok(Value::Null);
        }
        match self.with_run(|run| run.begin_step(&step.id))? {
            Begin::Kept(value) => return Ok(value),
            Begin::Failed(failure) => return Err(self.failed(failure, step.line)),
            Begin::Execute => {}
        }
        let result = self.act(step).and_then(|value| {
            let ended = self.with_run(|run| Some(run.end_step(&value)))?;
            ended.map_err(|failure| self.failed(failure, step.line))?;
            Ok(value)
        });
        if let Err(Broken::Error(described)) = &result {
            let text = described.text.clone();
            context::with(|state| state.run().map(|run| run.abandon_step(text)));
        }
        result
    }

    fn act(&self, step: &Step) -> Result<Value, Broken> {
        match &step.action {
            Compiled::Run(code) => self.value_of(code),
            Compiled::Script { code, inputs } => {
                let inputs = match inputs {
                    Some(template) => to_dynamic(self.fill(template, step.line)?),
                    None => self.inputs.clone(),
                };
                let options = CallFnOptions::new().eval_ast(true).rewind_scope(true);
                let mut scope = Scope::new();
                let result = self.engine.call_fn_with_options(
                    options,
                    &mut scope,
                    &code.ast,
                    "main",
                    (inputs,),
                );
                leave(result, code)
            }
            Compiled::Call { target, inputs } => {
                let inputs = self.fill(inputs, step.line)?;
                let result = crate::host::request(target, &inputs);
                result.map_err(|error| Broken::of(&error, &self.source(step.line)))
            }
        }
    }

    fn holds(&self, when: &Code) -> Result<bool, Broken> {
        match self.value_of(when)? {
            Value::Bool(truth) => Ok(truth),
            other => {
                let message = format!("`when` must be true or false, not of type {}", other.kind());
                let error = EvalAltResult::ErrorRuntime(message.into(), NOWHERE);
                Err(Broken::of(&error, &when.source))
            }
        }
    }

    fn fill(&self, template: &Template, line: u32) -> Result<Value, Broken> {
        let value = template.fill(&mut |code| self.value_of(code))?;
        if value.depth() > signalbox_core::value::MAX_DEPTH {
            let failure =
                Failure::permanent(ErrorCode::BadValue, "a template's value is nested too deep");
            return Err(self.failed(failure, line));
        }
        Ok(value)
    }

    fn value_of(&self, code: &Code) -> Result<Value, Broken> {
        let mut scope = Scope::new();
        scope.push_constant_dynamic("inputs", self.inputs.clone());
        let steps = if code.sees_steps { self.steps.clone() } else { Map::new() };
        scope.push_constant_dynamic("steps", Dynamic::from_map(steps));
        leave(self.engine.eval_ast_with_scope(&mut scope, &code.ast), code)
    }

    fn encode(&self, result: &Value) -> Result<Vec<u8>, Broken> {
        let bytes = signalbox_core::value::encode(result);
        if bytes.len() <= MAX_RESULT {
            return Ok(bytes);
        }
        let message =
            format!("a result of {} bytes is over the bound of {MAX_RESULT}", bytes.len());
        Err(self.failed(Failure::permanent(ErrorCode::LimitExceeded, message), 1))
    }

    fn with_run<T>(&self, act: impl FnOnce(&mut Run) -> Option<T>) -> Result<T, Broken> {
        context::effect(|state| act(state.run()?))
            .map_err(|error| Broken::of(&error, &self.program.file))
    }

    fn failed(&self, failure: Failure, line: u32) -> Broken {
        let text = describe(&thrown(&failure), "").text;
        drop(context::throw(failure));
        let place = Place { file: self.program.file.clone(), line, column: 1 };
        Broken::Error(Described { text, place: Some(place), limit: false })
    }

    fn source(&self, line: u32) -> String {
        inline_source(&self.program.file, line)
    }
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

//! Evaluates a plan, with the same steps and branches as the script functions `step` and
//! `parallel`.

use rhai::{CallFnOptions, Dynamic, Engine, Scope};
use signalbox_core::Value;
use signalbox_core::journal::Level;

use super::flow::{Broken, Flow, Frame, leave};
use super::program::{Compiled, Program, Step};
use super::tries::error_value;
use crate::context;
use crate::fault::HostResult;
use crate::host;
use crate::run::Spot;
use crate::value::to_dynamic;

/// What came of a list of steps.
pub(super) struct Listed {
    /// The result of the step that was the last.
    pub(super) last: Value,
    /// Whether its `stop_if` ended the list.
    pub(super) stopped: bool,
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
    let flow = Flow { engine, program, inputs: to_dynamic(inputs) };
    let mut frame = Frame::default();
    let result = flow.result(&mut frame);
    if let (Err(Broken::Error(described)), Some(code)) = (&result, &program.retry_if) {
        let failure = flow.with_run(|run| Some(run.failure_of(&described.text)))?;
        let frame = frame.with(["error"], [to_dynamic(error_value(&failure))]);
        flow.with_run(|run| {
            let beside = run.scope()?.beside("!");
            run.enter_scope(beside);
            Some(())
        })?;
        let again = flow.holds(code, "retry_if", &frame);
        if let Err(Broken::Error(fault)) = &again {
            let message = format!("`retry_if` failed, so it is not tried again: {}", fault.text);
            // Whatever keeps a line from being written also stops the run.
            crate::effect::log(Level::Warn, &message)
                .map_err(|error| Broken::of(&error, &program.file))?;
        }
        match again {
            Err(Broken::Stopped(place)) => return Err(Broken::Stopped(place)),
            Ok(true) => {}
            Ok(false) | Err(Broken::Error(_)) => {
                context::with(|state| state.run().map(crate::run::Run::give_up));
            }
        }
    }
    result
}

impl Flow<'_> {
    fn result(&self, frame: &mut Frame) -> Result<Vec<u8>, Broken> {
        let listed = match self.program.steps.steps.as_slice() {
            // Nothing is kept of a single step: it is the run.
            [only] if only.is_plain() => {
                // An early stop inside of it ended its own steps.
                let listed = Listed { stopped: false, ..self.act(only, frame)? };
                if self.program.output.is_some() {
                    frame.add(&only.id, listed.last.clone());
                }
                listed
            }
            _ => self.list(&self.program.steps, frame)?,
        };
        let result = match &self.program.output {
            Some(output) if !listed.stopped => self.fill(output, 1, frame)?,
            _ => listed.last,
        };
        self.encode(&result)
    }

    /// Evaluates a step, unless its condition does not hold.
    pub(super) fn step(&self, step: &Step, frame: &Frame) -> Result<Option<Value>, Broken> {
        if let Some(when) = &step.when
            && !self.holds(when, "when", frame)?
        {
            self.with_run(|run| run.skip_step(&step.id))?;
            return Ok(None);
        }
        let spot: Spot = self.with_run(|run| run.step_spot(&step.id))?;
        match &step.repeat {
            Some(repeat) => self.repeated(step, repeat, &spot, frame),
            None => self.tries(step, &spot, frame, &|| Ok(self.act(step, frame)?.last)),
        }
        .map(Some)
    }

    /// Does what a step does, once.
    pub(super) fn act(&self, step: &Step, frame: &Frame) -> Result<Listed, Broken> {
        let last = match &step.action {
            Compiled::Run(code) => self.value_of(code, frame)?,
            Compiled::Script { code, inputs } => {
                let inputs = match inputs {
                    Some(template) => to_dynamic(self.fill(template, step.line, frame)?),
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
                leave(result, code)?
            }
            Compiled::Call { target, inputs } => {
                let inputs = self.fill(inputs, step.line, frame)?;
                self.hosted(step, host::request(target, &inputs))?
            }
            Compiled::Flow { flow, inputs } => {
                let inputs = self.fill(inputs, step.line, frame)?;
                self.hosted(step, host::run_flow(flow, &inputs))?
            }
            Compiled::Sleep { duration } => {
                let duration = self.fill(duration, step.line, frame)?;
                let slept: HostResult<Dynamic> = host::sleep(&duration);
                self.hosted(step, slept.map(|_| Value::Null))?
            }
            Compiled::Steps(list) => return self.list(list, &mut frame.clone()),
            Compiled::Switch { cases, otherwise } => {
                let mut taken = otherwise;
                for (when, list) in cases {
                    if self.holds(when, "when", frame)? {
                        taken = list;
                        break;
                    }
                }
                self.list(taken, &mut frame.clone())?.last
            }
        };
        Ok(Listed { last, stopped: false })
    }

    fn hosted(&self, step: &Step, result: HostResult<Value>) -> Result<Value, Broken> {
        result.map_err(|error| Broken::of(&error, &self.source(step.line)))
    }
}

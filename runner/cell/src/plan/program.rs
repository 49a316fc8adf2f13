//! A flow, compiled.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use rhai::{AST, Engine, EvalAltResult};
use signalbox_core::catalog::{self, Action, Plan};
use signalbox_core::retry::Retry;

use super::graph::Graph;
use super::template::Template;
use crate::fault::{Described, Place, describe, inline_source};
use crate::script::{compile, compile_expression, library};

/// A flow, ready to be evaluated.
pub(crate) struct Program {
    pub(super) steps: List,
    pub(super) output: Option<Template>,
    pub(super) retry_if: Option<Code>,
    pub(super) file: String,
}

/// A list of steps.
pub(super) struct List {
    pub(super) steps: Vec<Step>,
    /// How they depend on each other; in order when not given.
    pub(super) graph: Option<Graph>,
}

pub(super) struct Step {
    pub(super) id: String,
    pub(super) when: Option<Code>,
    pub(super) action: Compiled,
    pub(super) line: u32,
    pub(super) repeat: Option<Repeat>,
    pub(super) retry: Option<Retry>,
    /// The `retry_if` of its retry.
    pub(super) retry_if: Option<Code>,
    /// Longest active time of a try; of all of it, for a step that is repeated.
    pub(super) timeout: Option<Duration>,
    pub(super) continue_on_error: bool,
    pub(super) stop_if: Option<Code>,
}

impl Step {
    /// Whether there is nothing to it but its action.
    pub(super) fn is_plain(&self) -> bool {
        self.when.is_none()
            && self.repeat.is_none()
            && self.retry.is_none()
            && self.stop_if.is_none()
            && self.timeout.is_none()
            && !self.continue_on_error
    }
}

pub(super) enum Repeat {
    Foreach {
        items: Code,
        parallel: usize,
    },
    While {
        condition: Code,
        max: u32,
        /// Whether a step of the body can end the loop.
        stops: bool,
    },
}

/// Code, and what errors call it.
pub(super) struct Code {
    pub(super) ast: AST,
    pub(super) source: String,
    /// Whether it can see the results of steps at all: copying them has its price.
    pub(super) sees_steps: bool,
}

pub(super) enum Compiled {
    Run(Code),
    Script { code: Rc<Code>, inputs: Option<Template> },
    Call { target: String, inputs: Template },
    Flow { flow: String, inputs: Template },
    Sleep { duration: Template },
    Steps(List),
    Switch { cases: Vec<(Code, List)>, otherwise: List },
}

/// Names that code inside of a flow's file sees.
const VARIABLES: [&str; 2] = ["inputs", "steps"];
/// Names that the code of a step with `foreach` sees, too.
pub(super) const EACH: [&str; 2] = ["item", "index"];
/// Names that the code of a step with `while` sees, too.
pub(super) const ROUND: [&str; 2] = ["index", "last"];

impl Program {
    /// Compiles a plan whose sources are in `tree`.
    ///
    /// # Errors
    /// The first code that does not compile. Every revision was checked, so this is rare.
    pub(crate) fn compile(
        engine: &Engine,
        tree: i64,
        file: &str,
        plan: &str,
    ) -> Result<Self, Described> {
        let plan: Plan = serde_json::from_str(plan)
            .map_err(|error| at(file, 1, format!("a plan that cannot be read: {error}")))?;
        let sees = VARIABLES.to_vec();
        let mut compiler = Compiler { engine, tree, file, sees, scripts: BTreeMap::new() };
        let steps = compiler.list(&plan.steps)?;
        let output = plan.output.as_ref().map(|output| compiler.template(output, 1)).transpose()?;
        let retry_if = plan.retry_if.as_deref();
        let retry_if = retry_if.map(|code| compiler.seeing(&["error"], |c| c.expression(code, 1)));
        Ok(Self { steps, output, retry_if: retry_if.transpose()?, file: file.to_owned() })
    }
}

struct Compiler<'a> {
    engine: &'a Engine,
    tree: i64,
    file: &'a str,
    /// The variables that code sees at this place.
    sees: Vec<&'static str>,
    scripts: BTreeMap<String, Rc<Code>>,
}

impl Compiler<'_> {
    fn list(&mut self, steps: &[catalog::Step]) -> Result<List, Described> {
        let graph = Graph::of(steps).map_err(|text| at(self.file, 1, text))?;
        let steps = steps.iter().map(|step| self.step(step)).collect::<Result<_, _>>()?;
        Ok(List { steps, graph })
    }

    fn step(&mut self, step: &catalog::Step) -> Result<Step, Described> {
        let line = step.line;
        let when = self.optional(step.when.as_deref(), line)?;
        let repeat = step.repeat.as_ref().map(|repeat| self.repeat(step, repeat)).transpose()?;
        let names: &[&'static str] = match &repeat {
            None => &[],
            Some(Repeat::Foreach { .. }) => &EACH,
            Some(Repeat::While { .. }) => &ROUND,
        };
        let retry_if = step.retry.as_ref().and_then(|retry| retry.retry_if.as_deref());
        let (action, retry_if) = self.seeing(names, |compiler| {
            let action = compiler.action(&step.action, line)?;
            let retry_if = compiler.seeing(&["error"], |c| c.optional(retry_if, line))?;
            Ok((action, retry_if))
        })?;
        Ok(Step {
            id: step.id.clone(),
            when,
            action,
            line,
            repeat,
            retry: step.retry.clone(),
            retry_if,
            timeout: step.timeout,
            continue_on_error: step.continue_on_error,
            stop_if: self.optional(step.stop_if.as_deref(), line)?,
        })
    }

    fn repeat(
        &mut self,
        step: &catalog::Step,
        repeat: &catalog::Repeat,
    ) -> Result<Repeat, Described> {
        Ok(match repeat {
            catalog::Repeat::Foreach { items, parallel } => Repeat::Foreach {
                items: self.expression(items, step.line)?,
                parallel: *parallel as usize,
            },
            catalog::Repeat::While { condition, max } => {
                let stops = step.lists().flatten().any(|inner| inner.stop_if.is_some());
                let body = matches!(step.action, Action::Steps { .. });
                let condition = self.seeing(&ROUND, |c| c.expression(condition, step.line))?;
                Repeat::While { condition, max: *max, stops: stops && body }
            }
        })
    }

    fn action(&mut self, action: &Action, line: u32) -> Result<Compiled, Described> {
        Ok(match action {
            Action::Run { code, line } => Compiled::Run(self.code(code, *line)?),
            Action::Script { path, inputs } => {
                let inputs = inputs.as_ref().map(|inputs| self.template(inputs, line));
                Compiled::Script { inputs: inputs.transpose()?, code: self.script(path, line)? }
            }
            Action::Call { target, inputs } => {
                Compiled::Call { target: target.clone(), inputs: self.template(inputs, line)? }
            }
            Action::Flow { flow, inputs } => {
                Compiled::Flow { flow: flow.clone(), inputs: self.template(inputs, line)? }
            }
            Action::Sleep { duration } => {
                Compiled::Sleep { duration: self.template(duration, line)? }
            }
            Action::Steps { steps } => Compiled::Steps(self.list(steps)?),
            Action::Switch { cases, otherwise } => {
                let cases = cases
                    .iter()
                    .map(|case| Ok((self.expression(&case.when, line)?, self.list(&case.steps)?)));
                let cases = cases.collect::<Result<_, _>>()?;
                Compiled::Switch { cases, otherwise: self.list(otherwise)? }
            }
        })
    }

    fn seeing<T>(&mut self, names: &[&'static str], compile: impl FnOnce(&mut Self) -> T) -> T {
        let before = self.sees.len();
        self.sees.extend(names);
        let result = compile(self);
        self.sees.truncate(before);
        result
    }

    fn optional(&self, code: Option<&str>, line: u32) -> Result<Option<Code>, Described> {
        code.map(|code| self.expression(code, line)).transpose()
    }

    fn code(&self, code: &str, line: u32) -> Result<Code, Described> {
        let source = inline_source(self.file, line);
        let ast = compile(self.engine, &source, code, &self.sees);
        finish(ast, source, code.contains("steps"))
    }

    fn expression(&self, code: &str, line: u32) -> Result<Code, Described> {
        let source = inline_source(self.file, line);
        let ast = compile_expression(self.engine, &source, code, &self.sees);
        finish(ast, source, code.contains("steps"))
    }

    fn script(&mut self, path: &str, line: u32) -> Result<Rc<Code>, Described> {
        if let Some(code) = self.scripts.get(path) {
            return Ok(Rc::clone(code));
        }
        let text = library::source(self.tree, path)
            .ok_or_else(|| at(self.file, line, format!("the workspace has no script `{path}`")))?;
        let code = finish(compile(self.engine, path, &text, &[]), path.to_owned(), false)?;
        if !code.ast.iter_functions().any(|f| f.name == "main" && f.params.len() == 1) {
            return Err(at(path, 1, "a script without `main(inputs)`".to_owned()));
        }
        let code = Rc::new(code);
        self.scripts.insert(path.to_owned(), Rc::clone(&code));
        Ok(code)
    }

    fn template(&self, value: &signalbox_core::Value, line: u32) -> Result<Template, Described> {
        Template::compile(value, &mut |expression| self.expression(expression, line))
            .map_err(|fault| fault.unwrap_or_else(|text| at(self.file, line, text)))
    }
}

fn finish(
    ast: Result<AST, Box<EvalAltResult>>,
    source: String,
    sees_steps: bool,
) -> Result<Code, Described> {
    match ast {
        Ok(ast) => Ok(Code { ast, source, sees_steps }),
        Err(error) => Err(describe(&error, &source)),
    }
}

fn at(file: &str, line: u32, text: String) -> Described {
    Described { text, place: Some(Place { file: file.to_owned(), line, column: 1 }), limit: false }
}

//! A flow, compiled.

use std::collections::BTreeMap;
use std::rc::Rc;

use rhai::{AST, Engine, EvalAltResult};
use signalbox_core::catalog::{Action, Plan};

use super::template::Template;
use crate::fault::{Described, Place, describe, inline_source};
use crate::script::{compile, compile_expression, library};

/// A flow, ready to be evaluated.
pub(crate) struct Program {
    pub(super) steps: Vec<Step>,
    pub(super) output: Option<Template>,
    pub(super) file: String,
}

pub(super) struct Step {
    pub(super) id: String,
    pub(super) when: Option<Code>,
    pub(super) action: Compiled,
    pub(super) line: u32,
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
}

/// Names that code inside of a flow's file sees.
pub(super) const VARIABLES: [&str; 2] = ["inputs", "steps"];

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
        let mut compiler = Compiler { engine, tree, file, scripts: BTreeMap::new() };
        let steps = plan.steps.iter().map(|step| compiler.step(step)).collect::<Result<_, _>>()?;
        let output = plan.output.as_ref().map(|output| compiler.template(output, 1)).transpose()?;
        Ok(Self { steps, output, file: file.to_owned() })
    }
}

struct Compiler<'a> {
    engine: &'a Engine,
    tree: i64,
    file: &'a str,
    scripts: BTreeMap<String, Rc<Code>>,
}

impl Compiler<'_> {
    fn step(&mut self, step: &signalbox_core::catalog::Step) -> Result<Step, Described> {
        let when = step.when.as_deref().map(|when| self.expression(when, step.line)).transpose()?;
        let action = match &step.action {
            Action::Run { code, line } => Compiled::Run(self.code(code, *line)?),
            Action::Script { path, inputs } => Compiled::Script {
                code: self.script(path, step.line)?,
                inputs: inputs
                    .as_ref()
                    .map(|inputs| self.template(inputs, step.line))
                    .transpose()?,
            },
            Action::Call { target, inputs } => {
                Compiled::Call { target: target.clone(), inputs: self.template(inputs, step.line)? }
            }
        };
        Ok(Step { id: step.id.clone(), when, action, line: step.line })
    }

    fn code(&self, code: &str, line: u32) -> Result<Code, Described> {
        let source = inline_source(self.file, line);
        let ast = compile(self.engine, &source, code, &VARIABLES);
        finish(ast, source, code.contains("steps"))
    }

    fn expression(&self, code: &str, line: u32) -> Result<Code, Described> {
        let source = inline_source(self.file, line);
        let ast = compile_expression(self.engine, &source, code, &VARIABLES);
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

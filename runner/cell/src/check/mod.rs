//! The check of scripts: compiles them and looks at what they call, without evaluating anything.

mod calls;
mod names;
mod syntax;
mod walk;

use rhai::{AST, Engine};
use signalbox_core::check::{CheckRequest, CheckScript, Facts, ScriptCode, ScriptKind};
use signalbox_core::codes::Code;
use signalbox_core::diagnostic::{Diagnostic, Place};

use crate::protocol::FromCell;
use crate::script::library;
use names::Names;

/// Checks every script of a request: one frame of facts for each, then the last frame.
pub(crate) fn check(engine: &Engine, request: &CheckRequest, send: &mut dyn FnMut(FromCell)) {
    library::set_current(0);
    let names = Names::of(engine);
    for script in &request.scripts {
        let facts = Checker::new(engine, request, &names, script).check();
        send(FromCell::Facts(Box::new(facts)));
    }
    send(FromCell::Checked);
}

/// The check of one script.
struct Checker<'a> {
    engine: &'a Engine,
    request: &'a CheckRequest,
    names: &'a Names,
    script: &'a CheckScript,
    text: String,
    facts: Facts,
}

impl<'a> Checker<'a> {
    fn new(
        engine: &'a Engine,
        request: &'a CheckRequest,
        names: &'a Names,
        script: &'a CheckScript,
    ) -> Self {
        let facts = Facts {
            name: script.name.clone(),
            diagnostics: Vec::new(),
            imports: Vec::new(),
            calls: Vec::new(),
        };
        Self { engine, request, names, script, text: String::new(), facts }
    }

    fn check(mut self) -> Facts {
        let text = match &self.script.code {
            ScriptCode::Inline(text) => Some(text.clone()),
            ScriptCode::Source(path) => library::source(0, path),
        };
        let Some(text) = text else {
            self.report(Code::FileMissing, (0, 0), 1, "the script was not given".to_owned());
            return self.facts;
        };
        self.text = text;
        if let Some(ast) = self.compile() {
            self.require_main(&ast);
            self.walk(&ast);
        }
        self.facts.imports.sort();
        self.facts.imports.dedup();
        self.facts.diagnostics.sort_by_key(|fault| (fault.place.line, fault.place.column));
        self.facts
    }

    fn require_main(&mut self, ast: &AST) {
        let has_main = ast.iter_functions().any(|f| f.name == "main" && f.params.len() == 1);
        if self.script.kind == ScriptKind::Script && !has_main {
            let message = "the script has no `main(inputs)`".to_owned();
            self.report(Code::NoMain, (0, 0), 1, message).help =
                Some("add `fn main(inputs) { ... }`".to_owned());
        }
    }

    /// Adds an error at a line and column of the code, from 1; 0 for the code as a whole.
    fn report(
        &mut self,
        code: Code,
        at: (usize, usize),
        length: usize,
        message: String,
    ) -> &mut Diagnostic {
        let place = self.place(at, length);
        let mut diagnostic = Diagnostic::error(code, place, message);
        if self.script.origin == (1, 1) {
            diagnostic.source_line = self.text.lines().nth(at.0.wrapping_sub(1)).map(str::to_owned);
        }
        self.facts.diagnostics.push(diagnostic);
        let last = self.facts.diagnostics.len() - 1;
        &mut self.facts.diagnostics[last]
    }

    /// Where a line and column of the code are in its file. Code in a flow's file is indented as
    /// a whole.
    fn place(&self, (line, column): (usize, usize), length: usize) -> Place {
        let (first, left) = self.script.origin;
        if line == 0 {
            return match self.script.origin {
                (1, 1) => Place::file(&self.script.file),
                _ => Place::at(&self.script.file, first, left, 1),
            };
        }
        let number = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let (line, column) = (number(line), number(column.max(1)));
        let line = first.saturating_add(line - 1);
        Place::at(&self.script.file, line, left.saturating_add(column - 1), number(length))
    }
}

//! The check of one script.

use rhai::{AST, Engine};
use signalbox_core::check::{CheckRequest, CheckScript, Facts, ScriptCode, ScriptKind};
use signalbox_core::codes::Code;
use signalbox_core::diagnostic::{Diagnostic, Place};

use super::names::Names;
use crate::script::library;

/// The check of one script.
pub(super) struct Checker<'a> {
    pub(super) engine: &'a Engine,
    pub(super) request: &'a CheckRequest,
    pub(super) names: &'a Names,
    pub(super) script: &'a CheckScript,
    pub(super) text: String,
    pub(super) facts: Facts,
}

impl<'a> Checker<'a> {
    pub(super) fn new(
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

    pub(super) fn check(mut self) -> Facts {
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
    pub(super) fn report(
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
    pub(super) fn place(&self, (line, column): (usize, usize), length: usize) -> Place {
        let (first, left) = self.script.origin;
        if line == 0 {
            return Place::at(&self.script.file, first, left, 1);
        }
        let number = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let (line, column) = (number(line), number(column.max(1)));
        let line = first.saturating_add(line - 1);
        Place::at(&self.script.file, line, left.saturating_add(column - 1), number(length))
    }
}

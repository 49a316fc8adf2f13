//! What the compiler says.

use rhai::{AST, LexError, ParseError, ParseErrorType, Position, Scope};
use signalbox_core::check::ScriptKind;
use signalbox_core::codes::Code;
use signalbox_core::diagnostic::did_you_mean;

use super::checker::Checker;
use crate::script::too_large;

/// Unknown variables that are looked for in one script: each costs a compilation.
const MAX_UNKNOWN: usize = 20;

impl Checker<'_> {
    /// The AST, if there is one. Every unknown variable is reported: each is made known to find
    /// the next.
    pub(super) fn compile(&mut self) -> Option<AST> {
        if let Some((what, most)) = too_large(&self.text) {
            let message = format!("a script has at most {most} {what}");
            self.report(Code::ScriptTooLarge, (0, 0), 1, message);
            return None;
        }
        // For the compiler it is a space, for editors the end of a line: places would lie elsewhere.
        if let Some(place) = lone_return(&self.text) {
            let message = "a carriage return without a line feed".to_owned();
            self.report(Code::ScriptSyntax, place, 1, message);
            return None;
        }
        let visible: &[&str] = match self.script.kind {
            ScriptKind::Script | ScriptKind::Library => &[],
            ScriptKind::Run | ScriptKind::Expression => &["inputs", "steps"],
            ScriptKind::Dynamic => &["slot", "inputs"],
        };
        let more = self.script.sees.clone();
        let visible: Vec<&str> =
            visible.iter().copied().chain(more.iter().map(String::as_str)).collect();
        let mut scope = Scope::new();
        for name in &visible {
            scope.push(*name, ());
        }
        for _ in 0..MAX_UNKNOWN {
            let compiled = if self.is_expression() {
                self.engine.compile_expression_with_scope(&scope, &self.text)
            } else {
                self.engine.compile_with_scope(&scope, &self.text)
            };
            let ParseError(kind, position) = match compiled {
                Ok(ast) => return Some(ast),
                Err(error) => error,
            };
            let name = match *kind {
                ParseErrorType::VariableUndefined(name) => name,
                // Reported with every other call that leads nowhere.
                ParseErrorType::ModuleUndefined(_) => return self.compile_laxly(),
                kind => {
                    self.syntax(&kind, position);
                    return None;
                }
            };
            if scope.contains(&name) {
                // Inside of a function, where no outer variable is known.
                self.unknown_variable(&name, position, &[]);
                return self.compile_laxly();
            }
            self.unknown_variable(&name, position, &visible);
            scope.push(name, ());
        }
        None
    }

    fn is_expression(&self) -> bool {
        match self.script.kind {
            ScriptKind::Expression | ScriptKind::Dynamic => true,
            ScriptKind::Script | ScriptKind::Library | ScriptKind::Run => false,
        }
    }

    /// The AST of code whose names are known to be wrong somewhere, to find what else is.
    fn compile_laxly(&mut self) -> Option<AST> {
        let mut engine = crate::script::engine();
        engine.set_strict_variables(false);
        let compiled = if self.is_expression() {
            engine.compile_expression(&self.text)
        } else {
            engine.compile(&self.text)
        };
        match compiled {
            Ok(ast) => Some(ast),
            Err(ParseError(kind, position)) => {
                self.syntax(&kind, position);
                None
            }
        }
    }

    fn unknown_variable(&mut self, name: &str, position: Position, visible: &[&str]) {
        let at = at(position);
        let known = |fault: &signalbox_core::diagnostic::Diagnostic, place| fault.place == place;
        let place = self.place(at, name.chars().count());
        if self.facts.diagnostics.iter().any(|fault| known(fault, place.clone())) {
            return;
        }
        let help = did_you_mean(name, visible.iter().copied())
            .map(|near| format!("did you mean `{near}`?"));
        let message = format!("unknown variable `{name}`");
        self.report(Code::UnknownVariable, at, name.chars().count(), message).help = help;
    }

    fn syntax(&mut self, kind: &ParseErrorType, position: Position) {
        let (code, message, help) = match kind {
            ParseErrorType::Reserved(word)
            | ParseErrorType::BadInput(LexError::ImproperSymbol(word, _))
                if word == "eval" =>
            {
                let help = Some("call the function itself, or keep closures in a map".to_owned());
                (Code::ScriptSyntax, "`eval` does not exist here".to_owned(), help)
            }
            ParseErrorType::Reserved(word) => {
                let help = Some("choose another name".to_owned());
                (Code::ScriptSyntax, format!("`{word}` is a reserved word of Rhai"), help)
            }
            other => (Code::ScriptSyntax, lower(&other.to_string()), None),
        };
        self.report(code, at(position), 1, message).help = help;
    }
}

/// Line and column, from 1; 0 for nowhere.
pub(super) fn at(position: Position) -> (usize, usize) {
    (position.line().unwrap_or(0), position.position().unwrap_or(0))
}

/// Messages of ours begin with a small letter.
fn lower(text: &str) -> String {
    let mut chars = text.chars();
    match chars.next() {
        Some(first) => first.to_lowercase().chain(chars).collect(),
        None => String::new(),
    }
}

/// Line and column of the first carriage return that no line feed follows.
fn lone_return(text: &str) -> Option<(usize, usize)> {
    (1..).zip(text.split_inclusive('\n')).find_map(|(line, content)| {
        let content = content.strip_suffix("\r\n").unwrap_or(content);
        Some((line, content.chars().position(|c| c == '\r')? + 1))
    })
}

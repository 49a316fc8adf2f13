//! Looks at every call and import of a script.

use std::collections::{BTreeMap, BTreeSet};

use rhai::{AST, ASTNode, Expr, FnCallExpr, Position, Stmt};
use signalbox_core::codes::Code;
use signalbox_core::diagnostic::{Severity, did_you_mean};

use super::checker::Checker;
use super::names::Names;
use super::syntax::at;
use crate::script::library::{path_of, source};
use crate::script::too_large;

/// Functions by name, with the numbers of arguments that they take.
type Functions = BTreeMap<String, BTreeSet<usize>>;

/// What the script itself brings.
#[derive(Default)]
struct Own {
    functions: Functions,
    /// Libraries by alias; `None` when nothing is known of what is in one.
    imports: BTreeMap<String, Option<Functions>>,
}

impl Checker<'_> {
    /// Reports what is wrong with calls and imports, and collects what they name.
    pub(super) fn walk(&mut self, ast: &AST) {
        let mut own = Own { functions: functions_of(ast), ..Own::default() };
        ast.walk(&mut |path: &[ASTNode]| {
            if let Some(ASTNode::Stmt(Stmt::Import(import, position))) = path.last() {
                let functions = self.import(&import.0, *position);
                own.imports.insert(import.1.name.to_string(), functions);
            }
            true
        });
        ast.walk(&mut |path: &[ASTNode]| {
            match path.last() {
                Some(
                    ASTNode::Expr(Expr::FnCall(call, position))
                    | ASTNode::Stmt(Stmt::FnCall(call, position)),
                ) => self.call(call, *position, &own),
                Some(ASTNode::Expr(Expr::MethodCall(call, position))) => {
                    self.method(call, *position, &own);
                }
                _ => {}
            }
            true
        });
    }

    /// Looks at an import: the functions of the library, if they can be told.
    fn import(&mut self, name: &Expr, position: Position) -> Option<Functions> {
        let Expr::StringConstant(name, position) = name else {
            let message = "an import whose name is not a literal".to_owned();
            self.report(Code::UnknownImport, at(position), 1, message);
            return None;
        };
        let length = name.chars().count() + 2;
        let found = path_of(name).and_then(|path| source(0, &path).map(|text| (path, text)));
        let Some((path, text)) = found else {
            let message = format!("the workspace has no library `{name}`");
            let fault = self.report(Code::UnknownImport, at(*position), length, message);
            fault.help = Some(
                "a library is named by its path from the workspace's folder, without `.rhai`"
                    .to_owned(),
            );
            return None;
        };
        self.facts.imports.push(path);
        let text = Some(text).filter(|text| too_large(text).is_none())?;
        self.engine.compile(&text).ok().map(|ast| functions_of(&ast))
    }

    fn call(&mut self, call: &FnCallExpr, position: Position, own: &Own) {
        let name = call.name.as_str();
        let count = call.args.len();
        if call.is_qualified() {
            self.qualified(call, position, own);
            return;
        }
        if call.op_token.is_some() || Names::is_keyword(name) || !is_name(name) {
            return;
        }
        self.declared(call);
        let takes = own.functions.get(name).or_else(|| self.names.function(name));
        match takes {
            Some(takes) if takes.contains(&count) => {}
            // What a script's function hides may still be there natively.
            Some(_) if self.names.function(name).is_some_and(|takes| takes.contains(&count)) => {}
            Some(takes) => self.wrong_count(name, takes, count, position),
            None => {
                let known =
                    own.functions.keys().map(String::as_str).chain(self.names.functions(""));
                let near = did_you_mean(name, known.filter(|name| is_name(name)));
                let help = near.map(|near| format!("did you mean `{near}`?"));
                let message = format!("unknown function `{name}`");
                self.report(Code::UnknownFunction, at(position), name.chars().count(), message)
                    .help = help;
            }
        }
    }

    /// A call of a module's or library's function.
    fn qualified(&mut self, call: &FnCallExpr, position: Position, own: &Own) {
        let path: Vec<_> = call.namespace.path.iter().map(|part| part.name.as_str()).collect();
        let [module] = path.as_slice() else { return };
        let name = call.name.as_str();
        let full = format!("{module}::{name}");
        let count = call.args.len();
        let functions: Option<BTreeSet<usize>> = match own.imports.get(*module) {
            Some(None) => return,
            Some(Some(functions)) => functions.get(name).cloned(),
            None if self.names.has_module(module) => self.names.in_module(module, name).cloned(),
            None => return self.unknown_module(module, position, own),
        };
        match functions {
            Some(takes) if takes.contains(&count) => self.collect_call(call, position, &full),
            Some(takes) => self.wrong_count(&full, &takes, count, position),
            None => {
                let own_names = own.imports.get(*module).and_then(Option::as_ref);
                let known: Vec<&str> = match own_names {
                    Some(functions) => functions.keys().map(String::as_str).collect(),
                    None => self.names.functions(module).collect(),
                };
                let near = did_you_mean(name, known.iter().copied());
                let help = near.map(|near| format!("did you mean `{module}::{near}`?"));
                let message = format!("unknown function `{full}`");
                self.report(Code::UnknownFunction, at(position), name.chars().count(), message)
                    .help = help;
            }
        }
    }

    fn unknown_module(&mut self, module: &str, position: Position, own: &Own) {
        if module == "global" {
            return;
        }
        let known = own.imports.keys().map(String::as_str).chain(self.names.modules());
        let help = did_you_mean(module, known).map(|near| format!("did you mean `{near}`?"));
        let message = format!("unknown module `{module}`");
        self.report(Code::UnknownFunction, at(position), 1, message).help = help;
    }

    fn wrong_count(
        &mut self,
        name: &str,
        takes: &BTreeSet<usize>,
        count: usize,
        position: Position,
    ) {
        let takes: Vec<_> = takes.iter().map(usize::to_string).collect();
        let message = format!("`{name}` takes {} arguments, not {count}", takes.join(" or "));
        self.report(Code::UnknownFunction, at(position), name.chars().count(), message);
    }

    /// A method that nothing has is suspicious, no more: a map may hold a closure of that name.
    fn method(&mut self, call: &FnCallExpr, position: Position, own: &Own) {
        let name = call.name.as_str();
        let known = own.functions.contains_key(name)
            || self.names.function(name).is_some()
            || Names::is_keyword(name)
            || !is_name(name);
        if !known {
            let near = did_you_mean(name, self.names.functions("").filter(|name| is_name(name)));
            let help = near.map(|near| format!("did you mean `{near}`?"));
            let message = format!("no value has a method `{name}`");
            let fault =
                self.report(Code::UnknownMethod, at(position), name.chars().count(), message);
            fault.severity = Severity::Warning;
            fault.help = help;
        }
    }

    /// Secrets and connectors that are named by a literal must be declared.
    fn declared(&mut self, call: &FnCallExpr) {
        let request = self.request;
        let (what, declared) = match call.name.as_str() {
            "secret" => ("secret", &request.secrets),
            "connector" => ("connector", &request.connectors),
            _ => return,
        };
        let Some(Expr::StringConstant(name, position)) = call.args.first() else { return };
        if declared.iter().any(|known| known == name.as_str()) {
            return;
        }
        let near = did_you_mean(name, declared.iter().map(String::as_str));
        let help = near.map_or_else(
            || format!("declare it below `{what}s:` in the workspace file"),
            |near| format!("did you mean `{near}`?"),
        );
        let message = format!("the workspace declares no {what} `{name}`");
        let length = name.chars().count() + 2;
        self.report(Code::UndeclaredName, at(*position), length, message).help = Some(help);
    }
}

/// Names that a script can write; the rest are operators, getters and closures.
fn is_name(name: &str) -> bool {
    name.chars().all(|c| c.is_alphanumeric() || c == '_')
}

fn functions_of(ast: &AST) -> Functions {
    let mut functions = Functions::new();
    for function in ast.iter_functions() {
        functions.entry(function.name.to_owned()).or_default().insert(function.params.len());
    }
    functions
}

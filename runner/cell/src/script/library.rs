//! Imports: a library is a source of the program's own tree, and nothing else.

use std::cell::RefCell;
use std::collections::HashMap;

use rhai::{Engine, EvalAltResult, Module, ModuleResolver, Position, Scope, Shared};
use signalbox_core::codes::Code;
use signalbox_core::journal::Failure;

use super::engine::compile;
use crate::context;
use crate::fault::HostResult;

/// Longest name of a library.
const MAX_NAME: usize = 200;

/// The sources of one tree, and the libraries that were evaluated.
#[derive(Default)]
struct Tree {
    sources: HashMap<String, String>,
    modules: HashMap<String, SharedModule>,
}

#[derive(Default)]
struct Shelf {
    trees: HashMap<i64, Tree>,
    /// The tree whose code is evaluated.
    current: i64,
    /// Libraries that are being evaluated, outermost first.
    resolving: Vec<String>,
}

type SharedModule = Shared<Module>;

thread_local! {
    static SHELF: RefCell<Shelf> = RefCell::default();
}

/// Takes a source in.
pub(crate) fn add(tree: i64, path: String, text: String) {
    SHELF.with_borrow_mut(|shelf| {
        let tree = shelf.trees.entry(tree).or_default();
        // A library may have been evaluated with what it imports being older.
        tree.modules.clear();
        tree.sources.insert(path, text);
    });
}

/// Forgets a tree.
pub(crate) fn forget(tree: i64) {
    SHELF.with_borrow_mut(|shelf| drop(shelf.trees.remove(&tree)));
}

/// Says which tree's code is evaluated from now on.
pub(crate) fn set_current(tree: i64) {
    SHELF.with_borrow_mut(|shelf| {
        shelf.current = tree;
        shelf.resolving.clear();
    });
}

/// The text of a source.
pub(crate) fn source(tree: i64, path: &str) -> Option<String> {
    SHELF.with_borrow(|shelf| shelf.trees.get(&tree)?.sources.get(path).cloned())
}

/// The path of the file that a library's name means; `None` for what is no name.
pub(crate) fn path_of(name: &str) -> Option<String> {
    let part = |part: &str| {
        !part.is_empty()
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
    };
    (name.len() <= MAX_NAME && name.split('/').all(part)).then(|| format!("{name}.rhai"))
}

/// Resolves imports from the current tree.
pub(super) struct Libraries;

impl ModuleResolver for Libraries {
    fn resolve(
        &self,
        engine: &Engine,
        _: Option<&str>,
        name: &str,
        position: Position,
    ) -> HostResult<SharedModule> {
        let path = path_of(name).map_or_else(
            || refuse(Code::UnknownImport, format!("`{name}` is no name of a library")),
            Ok,
        )?;
        let known = SHELF.with_borrow(|shelf| {
            Some(shelf.trees.get(&shelf.current)?.modules.get(&path)?.clone())
        });
        if let Some(module) = known {
            return Ok(module);
        }
        let text = enter(&path)?;
        let module = evaluate(engine, &path, &text);
        SHELF.with_borrow_mut(|shelf| {
            shelf.resolving.pop();
            let module = module.map_err(|error| match *error {
                // The run must stop: that is no error of the library.
                EvalAltResult::ErrorTerminated(..) => error,
                _ => EvalAltResult::ErrorInModule(name.to_owned(), error, position).into(),
            })?;
            if let Some(tree) = shelf.trees.get_mut(&shelf.current) {
                tree.modules.insert(path, module.clone());
            }
            Ok(module)
        })
    }
}

/// Begins to resolve a library: its text, unless that would lead in a circle.
fn enter(path: &str) -> HostResult<String> {
    SHELF.with_borrow_mut(|shelf| {
        if shelf.resolving.iter().any(|other| other == path) {
            let circle = shelf.resolving.join("`, `");
            let message = format!("`{path}` is imported by itself, through `{circle}`");
            return refuse(Code::ImportCycle, message);
        }
        let tree = shelf.trees.get(&shelf.current);
        let Some(text) = tree.and_then(|tree| tree.sources.get(path)).cloned() else {
            let message = format!("the workspace has no library `{path}`");
            return refuse(Code::UnknownImport, message);
        };
        shelf.resolving.push(path.to_owned());
        Ok(text)
    })
}

/// Evaluates a library. Once for all runs, so it must not have effects of its own.
fn evaluate(engine: &Engine, path: &str, text: &str) -> HostResult<SharedModule> {
    let ast = compile(engine, path, text, &[])?;
    let module = context::without_effects("the top level of a library", || {
        Module::eval_ast_as_new(Scope::new(), &ast, engine)
    });
    let mut module = module?;
    module.set_id(path);
    module.build_index();
    Ok(module.into())
}

fn refuse<T>(code: Code, message: String) -> HostResult<T> {
    Err(context::throw(Failure::permanent(code, message)))
}

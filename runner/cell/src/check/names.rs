//! The names that scripts may call.

use std::collections::{BTreeMap, BTreeSet};

use rhai::Engine;

/// What Rhai itself answers to, with any number of arguments.
const KEYWORDS: [&str; 9] =
    ["print", "debug", "type_of", "Fn", "call", "curry", "is_shared", "is_def_var", "is_def_fn"];

/// Functions by namespace and name, with the numbers of arguments that they take.
#[derive(Debug, Default)]
pub(super) struct Names {
    modules: BTreeMap<String, BTreeMap<String, BTreeSet<usize>>>,
}

impl Names {
    /// The names of an engine's functions.
    pub(super) fn of(engine: &Engine) -> Self {
        let found = engine.collect_fn_metadata(
            None,
            |info| {
                let function = info.metadata;
                Some((info.namespace.to_string(), function.name.to_string(), function.num_params))
            },
            true,
        );
        let mut names = Self::default();
        for (namespace, name, arguments) in found {
            let module = names.modules.entry(namespace).or_default();
            module.entry(name).or_default().insert(arguments);
        }
        names
    }

    /// How many arguments a global function takes; `None` when there is none of that name.
    pub(super) fn function(&self, name: &str) -> Option<&BTreeSet<usize>> {
        self.in_module("", name)
    }

    /// How many arguments a function of a module takes.
    pub(super) fn in_module(&self, module: &str, name: &str) -> Option<&BTreeSet<usize>> {
        self.modules.get(module)?.get(name)
    }

    /// Whether there is such a module.
    pub(super) fn has_module(&self, module: &str) -> bool {
        !module.is_empty() && self.modules.contains_key(module)
    }

    /// Every module.
    pub(super) fn modules(&self) -> impl Iterator<Item = &str> {
        self.modules.keys().map(String::as_str).filter(|name| !name.is_empty())
    }

    /// Every function of a module, or of none.
    pub(super) fn functions(&self, module: &str) -> impl Iterator<Item = &str> {
        self.modules.get(module).into_iter().flat_map(BTreeMap::keys).map(String::as_str)
    }

    /// Whether Rhai handles a name itself.
    pub(super) fn is_keyword(name: &str) -> bool {
        KEYWORDS.contains(&name)
    }
}

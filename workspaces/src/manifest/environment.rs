//! What a workspace's scripts are given.

use std::collections::{BTreeMap, BTreeSet};

use signalbox_core::codes::Code;
use signalbox_core::secret;

use crate::faults::Faults;
use crate::fields::{self, Fields};
use crate::yaml::{Entry, Tree};

/// `env`: what the scripts see of their environment.
pub(super) fn env(fields: &Fields<'_>, faults: &mut Faults) -> BTreeMap<String, String> {
    let mut env = BTreeMap::new();
    for Entry { key, mark, node } in fields.map("env", faults) {
        if !is_env_name(key) {
            let message = format!("`{}` is not a name for `env`", fields::shown(key));
            let rule = "1 to 64 of a-z, A-Z, 0-9 and `_`, not starting with a digit".to_owned();
            faults.error_with_help(Code::InvalidName, *mark, message, Some(rule));
        }
        let text = match &node.tree {
            Tree::Text(text) => text.text.clone(),
            Tree::Int(number) => number.to_string(),
            Tree::Float(number) => number.to_string(),
            Tree::Bool(truth) => truth.to_string(),
            Tree::Null | Tree::List(_) | Tree::Map(_) | Tree::Bad => {
                fields::wrong_type(node, key, "text, a number or a truth value", faults);
                continue;
            }
        };
        env.insert(key.clone(), text);
    }
    env
}

fn is_env_name(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        && !name.starts_with(|c: char| c.is_ascii_digit())
}

/// `secrets`: the names that a script may ask for.
pub(super) fn secrets(fields: &Fields<'_>, faults: &mut Faults) -> BTreeSet<String> {
    let mut secrets = BTreeSet::new();
    for node in fields.list("secrets", faults) {
        let Some(name) = fields::text(node, "secrets", faults) else { continue };
        if secret::is_name(name) {
            secrets.insert(name.to_owned());
        } else {
            let message = format!("`{}` is not a name for a secret", fields::shown(name));
            let rule = "1 to 64 of A-Z, 0-9 and `_`, starting with a letter".to_owned();
            faults.error_with_help(Code::InvalidName, node.mark, message, Some(rule));
        }
    }
    secrets
}

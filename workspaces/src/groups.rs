//! `notification_groups`: names that stand for several handlers.

use std::collections::BTreeMap;

use signalbox_core::codes::Code;

use crate::faults::Faults;
use crate::fields::{self, Fields};
use crate::mark::Mark;
use crate::yaml::{Node, Tree};

pub(crate) const FIELD: &str = "notification_groups";
/// Longest name of a group.
const MAX_NAME: usize = 64;

/// Handlers as a file names them.
pub(crate) type Names = Vec<(String, Mark)>;

/// A group of handlers.
#[derive(Debug, Clone)]
pub(crate) struct Group {
    pub(crate) members: Names,
    pub(crate) at: Mark,
}

/// Reads the names of handlers: one, or a list of them.
pub(crate) fn names(node: &Node, field: &str, faults: &mut Faults) -> Names {
    let one = |node: &Node, faults: &mut Faults| {
        fields::text(node, field, faults).map(|name| (name.to_owned(), node.mark))
    };
    match &node.tree {
        Tree::List(items) => {
            if items.is_empty() {
                faults.error(Code::InvalidValue, node.mark, format!("`{field}` names nobody"));
            }
            items.iter().filter_map(|item| one(item, faults)).collect()
        }
        _ => one(node, faults).into_iter().collect(),
    }
}

/// Reads the groups of a workspace.
pub(crate) fn read(fields: &Fields<'_>, faults: &mut Faults) -> BTreeMap<String, Group> {
    let mut groups = BTreeMap::new();
    for entry in fields.map(FIELD, faults) {
        if is_name(&entry.key) {
            let members = names(&entry.node, &entry.key, faults);
            groups.insert(entry.key.clone(), Group { members, at: entry.mark });
        } else {
            let message = format!("`{}` cannot name a group", fields::shown(&entry.key));
            let rule = format!("a-z, 0-9, `-` and `_`, a letter first, at most {MAX_NAME}");
            faults.error_with_help(Code::InvalidName, entry.mark, message, Some(rule));
        }
    }
    groups
}

fn is_name(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_');
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.len() <= MAX_NAME
        && name.chars().all(fits)
}

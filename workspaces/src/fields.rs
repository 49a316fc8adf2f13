//! Reading a map that may have these fields and no others.

use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use signalbox_core::codes::Code;
use signalbox_core::diagnostic::Diagnostic;
use signalbox_core::ids::InvalidName;

use crate::faults::{Faults, near};
use crate::mark::Mark;
use crate::units;
use crate::yaml::{Entry, Node, Tree};

/// A map whose fields are known.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fields<'a> {
    entries: &'a [Entry],
    /// Where the map itself starts, for what is missing in it.
    pub(crate) mark: Mark,
    what: &'static str,
}

impl<'a> Fields<'a> {
    /// Opens a map and reports every field that is not in `known`. `what` completes "not a field
    /// of ...". An empty node is an empty map.
    pub(crate) fn open(
        node: &'a Node,
        what: &'static str,
        known: &[&str],
        faults: &mut Faults,
    ) -> Option<Self> {
        let entries = entries(node, what, faults)?;
        for entry in entries.iter().filter(|entry| !known.contains(&entry.key.as_str())) {
            let place = faults.at(entry.mark);
            let message = format!("unknown field `{}`", entry.key);
            let mut fault = Diagnostic::error(Code::UnknownField, place, message)
                .label(format!("not a field of {what}"));
            fault.help = near(&entry.key, known.iter().copied());
            faults.push(fault);
        }
        Some(Self { entries, mark: node.mark, what })
    }

    /// The same map, with what is missing reported at the key that it belongs to.
    pub(crate) fn named_at(self, mark: Mark) -> Self {
        Self { mark, ..self }
    }

    /// A field with its key's place. A field without a value counts as not given.
    pub(crate) fn entry(&self, name: &str) -> Option<&'a Entry> {
        let found = self.entries.iter().find(|entry| entry.key == name)?;
        (!matches!(found.node.tree, Tree::Null)).then_some(found)
    }

    /// A field's value.
    pub(crate) fn get(&self, name: &str) -> Option<&'a Node> {
        self.entry(name).map(|entry| &entry.node)
    }

    /// A field's value that must be there.
    pub(crate) fn required(&self, name: &str, faults: &mut Faults) -> Option<&'a Node> {
        let found = self.get(name);
        if found.is_none() {
            faults.error(Code::MissingField, self.mark, format!("{} needs `{name}`", self.what));
        }
        found
    }

    /// A field that is text.
    pub(crate) fn text(&self, name: &str, faults: &mut Faults) -> Option<String> {
        text(self.get(name)?, name, faults).map(str::to_owned)
    }

    /// A field that is a name of some kind.
    pub(crate) fn name<T: FromStr<Err = InvalidName>>(
        &self,
        name: &str,
        faults: &mut Faults,
    ) -> Option<T> {
        parsed(self.get(name)?, name, faults)
    }

    /// A field that is a whole number within bounds.
    pub(crate) fn int(
        &self,
        name: &str,
        range: RangeInclusive<i64>,
        faults: &mut Faults,
    ) -> Option<i64> {
        let node = self.get(name)?;
        let Tree::Int(number) = node.tree else {
            wrong_type(node, name, "a whole number", faults);
            return None;
        };
        in_range(number, &range, node, name, faults, i64::to_string)
    }

    /// A field that is a truth value.
    pub(crate) fn truth(&self, name: &str, faults: &mut Faults) -> Option<bool> {
        let node = self.get(name)?;
        let Tree::Bool(truth) = node.tree else {
            wrong_type(node, name, "`true` or `false`", faults);
            return None;
        };
        Some(truth)
    }

    /// A field that is a duration within bounds.
    pub(crate) fn duration(
        &self,
        name: &str,
        range: RangeInclusive<Duration>,
        faults: &mut Faults,
    ) -> Option<Duration> {
        let duration = self.unit(name, "a duration like `30s` or `5m`", units::duration, faults)?;
        in_range(duration, &range, self.get(name)?, name, faults, units::show_duration)
    }

    /// A field that is a size within bounds, in bytes.
    pub(crate) fn size(
        &self,
        name: &str,
        range: RangeInclusive<u64>,
        faults: &mut Faults,
    ) -> Option<u64> {
        let size = self.unit(name, "a size like `512MiB`", units::size, faults)?;
        in_range(size, &range, self.get(name)?, name, faults, |size| units::show_size(*size))
    }

    /// A field that is text with a unit.
    pub(crate) fn unit<T>(
        &self,
        name: &str,
        expected: &str,
        read: impl Fn(&str) -> Option<T>,
        faults: &mut Faults,
    ) -> Option<T> {
        let node = self.get(name)?;
        let Tree::Text(text) = &node.tree else {
            wrong_type(node, name, expected, faults);
            return None;
        };
        let value = read(&text.text);
        if value.is_none() {
            let message = format!("`{name}` must be {expected}, not `{}`", shown(&text.text));
            faults.error(Code::InvalidValue, node.mark, message);
        }
        value
    }

    /// A field that is a list; empty when it is not given.
    pub(crate) fn list(&self, name: &str, faults: &mut Faults) -> &'a [Node] {
        let Some(node) = self.get(name) else { return &[] };
        let Tree::List(items) = &node.tree else {
            wrong_type(node, name, "a list", faults);
            return &[];
        };
        items
    }

    /// A field that is a map with names of the user's own; empty when it is not given.
    pub(crate) fn map(&self, name: &'static str, faults: &mut Faults) -> &'a [Entry] {
        self.get(name).and_then(|node| entries(node, name, faults)).unwrap_or_default()
    }
}

/// The entries of a node that must be a map.
pub(crate) fn entries<'a>(node: &'a Node, what: &str, faults: &mut Faults) -> Option<&'a [Entry]> {
    match &node.tree {
        Tree::Map(entries) => Some(entries),
        Tree::Null => Some(&[]),
        _ => {
            wrong_type(node, what, "a map", faults);
            None
        }
    }
}

/// A node that must be text.
pub(crate) fn text<'a>(node: &'a Node, what: &str, faults: &mut Faults) -> Option<&'a str> {
    let Tree::Text(text) = &node.tree else {
        wrong_type(node, what, "text", faults);
        return None;
    };
    Some(&text.text)
}

/// A node that must be a name of some kind.
pub(crate) fn parsed<T: FromStr<Err = InvalidName>>(
    node: &Node,
    what: &str,
    faults: &mut Faults,
) -> Option<T> {
    name_of(text(node, what, faults)?, node.mark, faults)
}

/// A text that must be a name of some kind.
pub(crate) fn name_of<T: FromStr<Err = InvalidName>>(
    text: &str,
    mark: Mark,
    faults: &mut Faults,
) -> Option<T> {
    match text.parse() {
        Ok(name) => Some(name),
        Err(InvalidName { what, rule, .. }) => {
            let message = format!("`{}` is not a {what}", shown(text));
            faults.error_with_help(Code::InvalidName, mark, message, Some(rule.to_owned()));
            None
        }
    }
}

/// Says that a node should have been something else; nothing when it was reported already.
pub(crate) fn wrong_type(node: &Node, what: &str, expected: &str, faults: &mut Faults) {
    if !matches!(node.tree, Tree::Bad) {
        let what = what.strip_prefix("a ").or_else(|| what.strip_prefix("an ")).unwrap_or(what);
        let message = format!("`{what}` must be {expected}, not {}", node.kind());
        faults.error(Code::WrongType, node.mark, message);
    }
}

fn in_range<T: PartialOrd>(
    value: T,
    range: &RangeInclusive<T>,
    node: &Node,
    name: &str,
    faults: &mut Faults,
    show: impl Fn(&T) -> String,
) -> Option<T> {
    if range.contains(&value) {
        return Some(value);
    }
    let message =
        format!("`{name}` must be between {} and {}", show(range.start()), show(range.end()));
    faults.error(Code::InvalidValue, node.mark, message);
    None
}

/// A user's text inside a message: short and on one line.
pub(crate) fn shown(text: &str) -> String {
    let clean = |c: char| if c.is_control() { ' ' } else { c };
    let short: String = text.chars().take(80).map(clean).collect();
    if text.chars().nth(80).is_some() { format!("{short}…") } else { short }
}

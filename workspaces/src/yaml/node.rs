//! The tree that everything else reads.

use std::collections::BTreeMap;

use signalbox_core::value::Value;

use crate::mark::Mark;

/// A node and where it starts.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) mark: Mark,
    pub(crate) tree: Tree,
}

/// What a node is.
#[derive(Debug, Clone)]
pub(crate) enum Tree {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(Written),
    List(Vec<Node>),
    Map(Vec<Entry>),
    /// Something that was reported already: whoever meets it says nothing more.
    Bad,
}

/// A text, and where its characters stand in the file.
#[derive(Debug, Clone)]
pub(crate) struct Written {
    pub(crate) text: String,
    /// Line of the text's first character.
    pub(crate) line: u32,
    /// Column of the first character of the first line, and of every line in a block scalar.
    pub(crate) column: u32,
}

impl Written {
    /// Where the character at a byte of the text stands in the file.
    pub(crate) fn position(&self, byte: usize) -> (u32, u32) {
        let before = self.text.get(..byte).unwrap_or(&self.text);
        let lines = before.matches('\n').count();
        let last = before.rsplit('\n').next().unwrap_or(before).chars().count();
        let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        (self.line.saturating_add(number(lines)), self.column.saturating_add(number(last)))
    }

    /// The text as code whose every line stands in the column it has in the file, and the
    /// position of its beginning.
    pub(crate) fn code(&self) -> (String, (u32, u32)) {
        if !self.text.trim_end().contains('\n') {
            return (self.text.clone(), (self.line, self.column));
        }
        let indent = " ".repeat(self.column.saturating_sub(1) as usize);
        let lines = self.text.lines().map(|line| match line {
            "" => "\n".to_owned(),
            line => format!("{indent}{line}\n"),
        });
        (lines.collect(), (self.line, 1))
    }
}

/// A key of a map and what belongs to it.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) key: String,
    /// Where the key stands.
    pub(crate) mark: Mark,
    pub(crate) node: Node,
}

impl Node {
    /// What this is, for "must be X, not Y".
    pub(crate) fn kind(&self) -> &'static str {
        match self.tree {
            Tree::Null => "empty",
            Tree::Bool(_) => "a truth value",
            Tree::Int(_) => "a whole number",
            Tree::Float(_) => "a number",
            Tree::Text(_) => "text",
            Tree::List(_) => "a list",
            Tree::Map(_) => "a map",
            Tree::Bad => "unreadable",
        }
    }

    /// The same as a value, without places. What was reported already is null.
    pub(crate) fn value(&self) -> Value {
        match &self.tree {
            Tree::Null | Tree::Bad => Value::Null,
            Tree::Bool(truth) => Value::Bool(*truth),
            Tree::Int(number) => Value::Int(*number),
            Tree::Float(number) => Value::Float(*number),
            Tree::Text(text) => Value::String(text.text.clone()),
            Tree::List(items) => Value::List(items.iter().map(Self::value).collect()),
            Tree::Map(entries) => {
                let pairs = entries.iter().map(|entry| (entry.key.clone(), entry.node.value()));
                Value::Map(pairs.collect::<BTreeMap<_, _>>())
            }
        }
    }
}

//! From the parser's nodes to the project's.

use std::collections::BTreeMap;

use saphyr::{MarkedYaml, Scalar, YamlData};
use signalbox_core::codes::Code;
use signalbox_core::diagnostic::Diagnostic;

use super::node::Written;
use super::renamed::Renamed;
use super::{Entry, MAX_DEPTH, Node, Tree};
use crate::faults::Faults;
use crate::mark::Mark;

/// The one document as a tree.
pub(super) fn build(
    documents: Vec<MarkedYaml<'static>>,
    text: &Renamed,
    faults: &mut Faults,
) -> Option<Node> {
    if let Some(second) = documents.get(1) {
        let mark = text.mark(second.span.start, 1);
        faults.error(Code::YamlSyntax, mark, "a second document; a file holds one");
        return None;
    }
    let Some(document) = documents.into_iter().next() else {
        return Some(Node { mark: Mark::line(0), tree: Tree::Null });
    };
    Some(Builder { text, faults }.node(document, 0))
}

pub(super) struct Builder<'a> {
    text: &'a Renamed,
    faults: &'a mut Faults,
}

impl Builder<'_> {
    fn node(&mut self, node: MarkedYaml<'static>, depth: usize) -> Node {
        let mark = self.mark(&node);
        let refused = if depth > MAX_DEPTH {
            Some(format!("nested deeper than {MAX_DEPTH} levels"))
        } else if self.is_alias(&node) {
            Some("an alias; write the value out".to_owned())
        } else {
            None
        };
        if let Some(message) = refused {
            return self.bad(mark, message);
        }
        let start = node.span.start;
        let tree = match node.data {
            YamlData::Value(Scalar::String(string)) => {
                Tree::Text(self.text_of(&mark, start.index(), string.into_owned()))
            }
            YamlData::Value(scalar) => {
                return self.scalar(mark, start.index(), node.span.end.index(), &scalar);
            }
            YamlData::Sequence(items) => {
                Tree::List(items.into_iter().map(|item| self.node(item, depth + 1)).collect())
            }
            YamlData::Mapping(entries) => {
                let entries = entries.into_iter().filter_map(|(key, value)| {
                    let (key, mark) = self.key(&key)?;
                    Some(Entry { key, mark, node: self.node(value, depth + 1) })
                });
                let entries = entries.collect();
                Tree::Map(self.without_duplicates(entries))
            }
            YamlData::Tagged(..) => {
                return self.bad(mark, "a tag; values have the type they look like".to_owned());
            }
            YamlData::BadValue if start.index() == node.span.end.index() => Tree::Null,
            YamlData::BadValue | YamlData::Alias(_) | YamlData::Representation(..) => {
                return self.bad(mark, "not a value".to_owned());
            }
        };
        Node { mark, tree }
    }

    fn bad(&mut self, mark: Mark, message: String) -> Node {
        self.faults.error(Code::YamlSyntax, mark, message);
        Node { mark, tree: Tree::Bad }
    }

    /// Scalars reach to the end of their line at most; collections are marked by one character.
    fn mark(&self, node: &MarkedYaml<'_>) -> Mark {
        let (start, end) = (node.span.start, node.span.end);
        let scalar = matches!(node.data, YamlData::Value(_));
        let covered = self.text.chars.get(start.index()..end.index()).unwrap_or_default();
        let line = covered.iter().position(|c| matches!(c, '\n' | '\r')).unwrap_or(covered.len());
        self.text.mark(start, if scalar { line } else { 1 })
    }

    /// The parser puts a copy in an alias' place, but marks it where the alias stands. The text of
    /// a block scalar may start with a star of its own.
    fn is_alias(&self, node: &MarkedYaml<'_>) -> bool {
        let starred = self.text.chars.get(node.span.start.index()) == Some(&'*');
        starred
            && !matches!(&node.data, YamlData::Value(Scalar::String(text)) if text.trim_start().starts_with('*'))
    }

    fn key(&mut self, key: &MarkedYaml<'_>) -> Option<(String, Mark)> {
        let mark = self.mark(key);
        let index = key.span.start.index();
        match &key.data {
            YamlData::Value(Scalar::String(text)) if !self.is_alias(key) => {
                let original = self.text.original(index, text);
                Some((original.unwrap_or_else(|| text.clone().into_owned()), mark))
            }
            _ => {
                self.faults.error(Code::WrongType, mark, "a key must be text; put it in quotes");
                None
            }
        }
    }

    fn without_duplicates(&mut self, entries: Vec<Entry>) -> Vec<Entry> {
        let mut first: BTreeMap<String, Mark> = BTreeMap::new();
        let mut kept = Vec::with_capacity(entries.len());
        for entry in entries {
            if let Some(earlier) = first.get(&entry.key) {
                let place = self.faults.at(entry.mark);
                let message = format!("`{}` is given twice", entry.key);
                let second = self.faults.at(*earlier);
                self.faults.push(
                    Diagnostic::error(Code::DuplicateKey, place, message)
                        .label("given again")
                        .second(second, "first defined here"),
                );
                continue;
            }
            first.insert(entry.key.clone(), entry.mark);
            kept.push(entry);
        }
        kept
    }

    fn text_of(&self, mark: &Mark, index: usize, text: String) -> Written {
        let quoted = matches!(self.text.chars.get(index), Some('"' | '\''));
        // A block scalar is marked at its first line with content; empty lines before it are in
        // the text, though.
        let blank = if quoted { 0 } else { text.len() - text.trim_start_matches('\n').len() };
        let blank = u32::try_from(blank).unwrap_or(0);
        let line = mark.line.saturating_sub(blank).max(1);
        Written { text, line, column: mark.column + u32::from(quoted) }
    }

    fn scalar(&mut self, mark: Mark, start: usize, end: usize, scalar: &Scalar<'_>) -> Node {
        let raw: String = self.text.chars.get(start..end).unwrap_or_default().iter().collect();
        let raw = raw.trim();
        let digits = raw.trim_start_matches(['-', '+']);
        let whole = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
        let tree = match scalar {
            Scalar::Null => Tree::Null,
            Scalar::Boolean(truth) => Tree::Bool(*truth),
            // A number with a leading zero is somebody's octal, a code or a date: text.
            Scalar::Integer(_) if whole && digits.len() > 1 && digits.starts_with('0') => {
                Tree::Text(Written { text: raw.to_owned(), line: mark.line, column: mark.column })
            }
            Scalar::Integer(number) => Tree::Int(*number),
            Scalar::FloatingPoint(_) if whole => {
                return self
                    .bad(mark, "a whole number beyond 64 bits; put it in quotes".to_owned());
            }
            Scalar::FloatingPoint(number) if number.is_finite() => Tree::Float(number.into_inner()),
            Scalar::FloatingPoint(_) => {
                return self.bad(mark, "not a finite number".to_owned());
            }
            Scalar::String(text) => Tree::Text(Written {
                text: text.clone().into_owned(),
                line: mark.line,
                column: mark.column,
            }),
        };
        Node { mark, tree }
    }
}

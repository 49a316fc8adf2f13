//! Templates: values whose texts may hold `${...}`.

use std::collections::BTreeMap;

use signalbox_core::check::ScriptKind;
use signalbox_core::codes::Code;
use signalbox_core::template::{self, Part};
use signalbox_core::value::Value;

use super::reader::Reader;
use crate::mark::Mark;
use crate::yaml::{Node, Tree};

impl Reader<'_> {
    /// A template's value; its expressions go to what is to be checked.
    pub(super) fn template(&mut self, node: &Node) -> Value {
        match &node.tree {
            Tree::Text(text) => {
                let parts = match template::parse(&text.text) {
                    Ok(parts) => parts,
                    Err(error) => {
                        self.faults.error(Code::Template, node.mark, error.to_string());
                        return Value::Null;
                    }
                };
                for part in parts {
                    let Part::Expression(code, start) = part else { continue };
                    let inside = text.text.get(start..).unwrap_or_default();
                    let blank = inside.len() - inside.trim_start().len();
                    self.check(ScriptKind::Expression, code, text.position(start + blank));
                }
            }
            Tree::List(items) => {
                return Value::List(items.iter().map(|item| self.template(item)).collect());
            }
            Tree::Map(entries) => {
                let pairs = entries.iter().map(|entry| {
                    self.refuse_expression_in_key(&entry.key, entry.mark);
                    (entry.key.clone(), self.template(&entry.node))
                });
                return Value::Map(pairs.collect());
            }
            Tree::Null | Tree::Bool(_) | Tree::Int(_) | Tree::Float(_) | Tree::Bad => {}
        }
        node.value()
    }

    fn refuse_expression_in_key(&mut self, key: &str, mark: Mark) {
        if key.contains("${") {
            self.faults.error(Code::Template, mark, "a key cannot hold `${...}`");
        }
    }
}

/// What is known of a template for inputs before anything runs: its keys, and the values without
/// an expression in them. `None` when it is no map.
pub(crate) fn literal_inputs(template: &Value) -> Option<BTreeMap<String, Option<Value>>> {
    let map = template.as_map()?;
    Some(map.iter().map(|(key, value)| (key.clone(), literal(value))).collect())
}

fn literal(template: &Value) -> Option<Value> {
    match template {
        Value::String(text) => match template::parse(text).ok()?.as_slice() {
            [Part::Text(text)] => Some(Value::String(text.clone())),
            _ => None,
        },
        Value::List(items) => items.iter().map(literal).collect::<Option<_>>().map(Value::List),
        Value::Map(map) => {
            let pairs = map.iter().map(|(key, value)| Some((key.clone(), literal(value)?)));
            pairs.collect::<Option<_>>().map(Value::Map)
        }
        other => Some(other.clone()),
    }
}

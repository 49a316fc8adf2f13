//! `concurrency`, `debounce` and `priority` of a flow.

use std::time::Duration;

use signalbox_core::codes::Code;
use signalbox_core::inputs::{Schema, Type};
use signalbox_core::template::{self, Part};
use signalbox_core::turn::{Concurrency, MAX_PRIORITY, Settings, WhenFull, reference};

use crate::faults::{Faults, near};
use crate::fields::{self, Fields};
use crate::mark::Mark;
use crate::yaml::{Node, Tree, Written};

/// Highest limit of a key: more is no limit.
const MAX_LIMIT: i64 = 100_000;
/// Longest `debounce`.
const MAX_DEBOUNCE: Duration = Duration::from_hours(24);
/// Longest text of a key, before its inputs are put in.
const MAX_TEXT: usize = 1_000;

/// Reads how the flow's runs take turns.
pub(super) fn read(fields: &Fields<'_>, schema: &Schema, faults: &mut Faults) -> Settings {
    let concurrency = fields.get("concurrency").and_then(|node| concurrency(node, schema, faults));
    let range = Duration::from_millis(100)..=MAX_DEBOUNCE;
    let debounce = fields.duration("debounce", range, faults);
    let most = i64::from(MAX_PRIORITY);
    let priority = fields.int("priority", -most..=most, faults).unwrap_or(0);
    Settings { concurrency, debounce, priority: i8::try_from(priority).unwrap_or(0) }
}

fn concurrency(node: &Node, schema: &Schema, faults: &mut Faults) -> Option<Concurrency> {
    match node.tree {
        Tree::Int(limit) if (1..=MAX_LIMIT).contains(&limit) => Some(Concurrency {
            limit: u32::try_from(limit).ok()?,
            key: None,
            when_full: WhenFull::default(),
        }),
        Tree::Int(_) => {
            let message = format!("`concurrency` must be between 1 and {MAX_LIMIT}");
            faults.error(Code::InvalidValue, node.mark, message);
            None
        }
        Tree::Map(_) => whole(node, schema, faults),
        Tree::Null | Tree::Bool(_) | Tree::Float(_) | Tree::Text(_) | Tree::List(_) | Tree::Bad => {
            fields::wrong_type(node, "concurrency", "a number or a map", faults);
            None
        }
    }
}

fn whole(node: &Node, schema: &Schema, faults: &mut Faults) -> Option<Concurrency> {
    let known = ["limit", "key", "when_full"];
    let fields = Fields::open(node, "`concurrency`", &known, faults)?;
    let when_full = fields.get("when_full").and_then(|node| when_full(node, faults));
    let key = fields.get("key").and_then(|node| key(node, schema, faults));
    fields.required("limit", faults)?;
    let limit = fields.int("limit", 1..=MAX_LIMIT, faults)?;
    Some(Concurrency {
        limit: u32::try_from(limit).ok()?,
        key,
        when_full: when_full.unwrap_or_default(),
    })
}

fn when_full(node: &Node, faults: &mut Faults) -> Option<WhenFull> {
    let text = fields::text(node, "when_full", faults)?;
    let found = WhenFull::ALL.into_iter().find(|choice| choice.as_str() == text);
    if found.is_none() {
        let names = WhenFull::ALL.map(WhenFull::as_str);
        let message = format!("`{}` is none of {}", fields::shown(text), names.join(", "));
        faults.error_with_help(Code::InvalidValue, node.mark, message, near(text, names));
    }
    found
}

fn key(node: &Node, schema: &Schema, faults: &mut Faults) -> Option<String> {
    fields::text(node, "key", faults)?;
    let Tree::Text(written) = &node.tree else { return None };
    if written.text.is_empty() || written.text.len() > MAX_TEXT {
        let message = format!("`key` has 1 to {MAX_TEXT} characters");
        faults.error(Code::InvalidValue, node.mark, message);
        return None;
    }
    let parts = match template::parse(&written.text) {
        Ok(parts) => parts,
        Err(error) => {
            faults.error(Code::Template, node.mark, error.to_string());
            return None;
        }
    };
    let mut good = true;
    for part in &parts {
        if let Part::Expression(expression, start) = part {
            good &= check(expression, (written, *start), schema, faults);
        }
    }
    good.then(|| written.text.clone())
}

/// Whether an expression of a key is a reference to an input that the flow has.
fn check(
    expression: &str,
    (written, start): (&Written, usize),
    schema: &Schema,
    faults: &mut Faults,
) -> bool {
    let (line, column) = written.position(start);
    let length = u32::try_from(expression.chars().count()).unwrap_or(u32::MAX);
    let mark = Mark { line, column, length };
    let Some(names) = reference(expression) else {
        let message = format!(
            "a key is made without running code: `{}` is no path into the inputs",
            fields::shown(expression)
        );
        let help = "write `${inputs.name}` or `${inputs.name.part}`".to_owned();
        faults.error_with_help(Code::Template, mark, message, Some(help));
        return false;
    };
    // A schema without fields takes anything.
    let Some(first) = names.first().filter(|_| !schema.fields.is_empty()) else { return true };
    match schema.fields.get(*first) {
        None => {
            let message = format!("the flow has no input `{first}`");
            let help = near(first, schema.fields.keys().map(String::as_str));
            faults.error_with_help(Code::UnknownReference, mark, message, help);
            false
        }
        Some(field) if names.len() > 1 && !matches!(field.kind, Type::Object | Type::Any) => {
            let kind = field.kind.as_str();
            let message = format!("`{first}` is of type {kind} and has no parts");
            faults.error(Code::UnknownReference, mark, message);
            false
        }
        Some(_) => true,
    }
}

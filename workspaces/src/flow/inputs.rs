//! `inputs` of a flow: what it takes.

use signalbox_core::codes::Code;
use signalbox_core::inputs::{Field, Schema, Type};
use signalbox_core::value::Value;

use crate::faults::{Faults, near};
use crate::fields::{self, Fields};
use crate::mark::Mark;
use crate::yaml::{Entry, Node, Tree};

const KNOWN: [&str; 10] = [
    "type",
    "description",
    "required",
    "default",
    "enum",
    "min",
    "max",
    "min_length",
    "max_length",
    "items",
];

/// More than any value can have.
const MAX_LENGTH: i64 = 1_000_000_000;

/// Reads the map.
pub(super) fn read(flow: &Fields<'_>, faults: &mut Faults) -> Schema {
    let mut schema = Schema::default();
    for Entry { key, mark, node } in flow.map("inputs", faults) {
        if !is_name(key) {
            let message = format!("`{}` is not a name for an input", fields::shown(key));
            let rule = "1 to 64 of a-z, A-Z, 0-9 and `_`, not starting with a digit".to_owned();
            faults.error_with_help(Code::InvalidName, *mark, message, Some(rule));
        }
        let field = match &node.tree {
            Tree::Text(_) => kind(node, "type", faults).map(Field::of),
            _ => field(key, *mark, node, faults),
        };
        if let Some(field) = field {
            schema.fields.insert(key.clone(), field);
        }
    }
    schema
}

fn is_name(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        && !name.starts_with(|c: char| c.is_ascii_digit())
}

fn kind(node: &Node, what: &str, faults: &mut Faults) -> Option<Type> {
    let text = fields::text(node, what, faults)?;
    let found = Type::ALL.into_iter().find(|(name, _)| *name == text);
    if found.is_none() {
        let names = Type::ALL.map(|(name, _)| name);
        let message = format!("`{}` is not a type", fields::shown(text));
        let help = near(text, names).unwrap_or_else(|| format!("one of {}", names.join(", ")));
        faults.error_with_help(Code::InvalidValue, node.mark, message, Some(help));
    }
    found.map(|(_, kind)| kind)
}

fn field(name: &str, mark: Mark, node: &Node, faults: &mut Faults) -> Option<Field> {
    let fields = Fields::open(node, "an input", &KNOWN, faults)?;
    let fields = fields.named_at(mark);
    let kind = match fields.get("type") {
        Some(node) => kind(node, "type", faults)?,
        None => Type::Any,
    };
    let length = |name, faults: &mut Faults| {
        let length = fields.int(name, 0..=MAX_LENGTH, faults)?;
        u64::try_from(length).ok()
    };
    let mut field = Field {
        description: fields.text("description", faults),
        required: fields.truth("required", faults).unwrap_or(false),
        min: bound(&fields, "min", faults),
        max: bound(&fields, "max", faults),
        min_length: length("min_length", faults),
        max_length: length("max_length", faults),
        items: fields.get("items").and_then(|node| self::kind(node, "items", faults)),
        ..Field::of(kind)
    };
    check_bounds(&field, &fields, faults);
    field.options = options(&field, &fields, faults);
    field.default = default(name, &field, &fields, faults);
    Some(field)
}

fn bound(fields: &Fields<'_>, name: &str, faults: &mut Faults) -> Option<f64> {
    let node = fields.get(name)?;
    match node.tree {
        #[expect(clippy::cast_precision_loss, reason = "bounds are floats; 2^53 is near enough")]
        Tree::Int(number) => Some(number as f64),
        Tree::Float(number) => Some(number),
        _ => {
            fields::wrong_type(node, name, "a number", faults);
            None
        }
    }
}

/// Each rule only where it can mean something, and no two that nothing can satisfy.
fn check_bounds(field: &Field, fields: &Fields<'_>, faults: &mut Faults) {
    let number = matches!(field.kind, Type::Integer | Type::Number | Type::Any);
    let sized = matches!(field.kind, Type::String | Type::Array | Type::Any);
    let list = matches!(field.kind, Type::Array | Type::Any);
    let rules = [
        ("min", number),
        ("max", number),
        ("min_length", sized),
        ("max_length", sized),
        ("items", list),
    ];
    for entry in rules.iter().filter(|(_, fits)| !fits).filter_map(|(name, _)| fields.entry(name)) {
        let message = format!("`{}` means nothing for type {}", entry.key, field.kind.as_str());
        faults.error(Code::InvalidValue, entry.mark, message);
    }
    let crossed = field.min.zip(field.max).is_some_and(|(min, max)| min > max);
    let crossed_length = field.min_length.zip(field.max_length).is_some_and(|(min, max)| min > max);
    for (name, crossed) in [("min", crossed), ("min_length", crossed_length)] {
        if let Some(entry) = fields.entry(name).filter(|_| crossed) {
            let message = format!("`{name}` is more than its `max`; nothing would fit");
            faults.error(Code::InvalidValue, entry.mark, message);
        }
    }
}

fn options(field: &Field, fields: &Fields<'_>, faults: &mut Faults) -> Option<Vec<Value>> {
    let node = fields.get("enum")?;
    let items = fields.list("enum", faults);
    if items.is_empty() && matches!(node.tree, Tree::List(_)) {
        faults.error(Code::InvalidValue, node.mark, "`enum` allows nothing");
    }
    for item in items {
        if let Some(fault) = field.fault(&item.value()) {
            let message = format!("{} {fault}", item.value());
            faults.error(Code::InvalidValue, item.mark, message);
        }
    }
    Some(items.iter().map(Node::value).collect())
}

fn default(name: &str, field: &Field, fields: &Fields<'_>, faults: &mut Faults) -> Option<Value> {
    let node = fields.get("default")?;
    let value = node.value();
    if matches!(node.tree, Tree::Bad) {
        return None;
    }
    if let Some(fault) = field.fault(&value) {
        faults.error(Code::InputDefault, node.mark, format!("the default of `{name}` {fault}"));
    }
    if field.required {
        let message = format!("`{name}` is both required and given a default; take one away");
        faults.error(Code::InputDefault, node.mark, message);
    }
    Some(value)
}

//! Reading the API's answers for people: what is missing is empty, nothing fails.

use serde_json::Value;

/// The text at a JSON pointer; empty when there is none.
pub(crate) fn text<'a>(document: &'a Value, pointer: &str) -> &'a str {
    document.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// The text at a JSON pointer, or a dash.
pub(crate) fn or_dash(document: &Value, pointer: &str) -> String {
    match text(document, pointer) {
        "" => "-".to_owned(),
        text => text.to_owned(),
    }
}

/// The number at a JSON pointer.
pub(crate) fn number(document: &Value, pointer: &str) -> Option<f64> {
    document.pointer(pointer).and_then(Value::as_f64)
}

/// Whether there is `true` at a JSON pointer.
pub(crate) fn flag(document: &Value, pointer: &str) -> bool {
    document.pointer(pointer).and_then(Value::as_bool).unwrap_or_default()
}

/// The list at a JSON pointer; empty when there is none.
pub(crate) fn list<'a>(document: &'a Value, pointer: &str) -> &'a [Value] {
    document.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// A commit as short as people write it.
pub(crate) fn short(revision: &str) -> String {
    match revision {
        "" => "-".to_owned(),
        revision => revision.chars().take(7).collect(),
    }
}

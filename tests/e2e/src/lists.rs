//! Reading JSON lists.

use serde_json::Value;

/// One field of every item, as text.
pub fn column(items: &[Value], field: &str) -> Vec<String> {
    items.iter().map(|item| item[field].as_str().unwrap_or_default().to_owned()).collect()
}

/// A list of texts.
pub fn strings(list: &Value) -> Vec<&str> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

/// The errors of a `diagnostics` list as `(code, file, line, column)`, sorted. Fails the test when
/// one lacks what a person needs.
#[track_caller]
pub fn diagnostics(list: &Value) -> Vec<(String, String, u64, u64)> {
    let items = list.as_array().map(Vec::as_slice).unwrap_or_default();
    let errors = items.iter().filter(|item| item["severity"] == "error");
    let mut found: Vec<_> = errors
        .map(|item| {
            let text = |field: &str| item[field].as_str().unwrap_or_default().to_owned();
            let number = |field: &str| item[field].as_u64().unwrap_or_default();
            assert!(!text("message").is_empty(), "no message: {item}");
            (text("code"), text("file"), number("line"), number("column"))
        })
        .collect();
    found.sort();
    found
}

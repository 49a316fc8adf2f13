//! The value codec: canonical bytes, JSON, and the entries of a journal.

use std::path::Path;

use signalbox_core::Value;
use signalbox_core::journal::{Chunk, Entry, Outcome};
use signalbox_core::value::{MAX_DEPTH, decode, encode, from_json, from_json_str, to_json};

use crate::seeds::{Seed, texts};

pub(crate) fn run(bytes: &[u8]) {
    if let Ok(value) = decode(bytes) {
        assert_eq!(encode(&value), bytes, "what decodes is canonical");
        holds(&value);
    }
    if let Ok(text) = str::from_utf8(bytes) {
        of_text(text);
    }
    journal(bytes);
}

/// What holds of every value.
fn holds(value: &Value) {
    assert!(value.depth() <= MAX_DEPTH, "deeper than any value");
    let bytes = encode(value);
    let again = decode(&bytes).expect("what was encoded decodes");
    assert_eq!(encode(&again), bytes, "the encoding is stable");
    let json = from_json(&to_json(value)).expect("the JSON of a value is one");
    let json = encode(&json);
    assert_eq!(json, encode(&as_read(value)), "JSON keeps the value");
    let text = from_json_str(&value.to_string()).expect("its text is JSON");
    assert_eq!(encode(&text), json, "JSON as text keeps the value");
}

/// A map that says what bytes say in JSON is read as bytes.
fn as_read(value: &Value) -> Value {
    match value {
        Value::List(items) => Value::List(items.iter().map(as_read).collect()),
        Value::Map(map) => {
            let hex = map.get("$bytes").and_then(Value::as_str).filter(|_| map.len() == 1);
            if let Some(bytes) = hex.and_then(signalbox_core::text::unhex) {
                return Value::Bytes(bytes);
            }
            Value::Map(map.iter().map(|(key, value)| (key.clone(), as_read(value))).collect())
        }
        other => other.clone(),
    }
}

/// The value that some JSON says, if there is one.
fn said(json: &serde_json::Value) -> Value {
    let read = match json {
        serde_json::Value::Null => Value::Null,
        serde_json::Value::Bool(truth) => Value::Bool(*truth),
        serde_json::Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => Value::Int(whole),
            (None, float) => Value::Float(float.expect("a number")),
        },
        serde_json::Value::String(text) => Value::String(text.clone()),
        serde_json::Value::Array(items) => Value::List(items.iter().map(said).collect()),
        serde_json::Value::Object(map) => {
            Value::Map(map.iter().map(|(key, value)| (key.clone(), said(value))).collect())
        }
    };
    as_read(&read)
}

fn of_text(text: &str) {
    let plain: Result<serde_json::Value, _> = serde_json::from_str(text);
    match from_json_str(text) {
        Ok(value) => {
            let plain = plain.expect("only JSON is taken");
            assert_eq!(encode(&value), encode(&said(&plain)), "what the JSON says");
            holds(&value);
            assert_eq!(encode(&as_read(&value)), encode(&value), "read once, read for good");
        }
        Err(error) => {
            let fits = plain.as_ref().is_ok_and(|json| from_json(json).is_ok());
            let refused = error.to_string();
            assert!(!fits || refused.starts_with("the number"), "refused without need: {refused}");
        }
    }
}

/// Entries are kept as postcard, their values as canonical bytes.
fn journal(bytes: &[u8]) {
    if let Ok(chunk) = postcard::from_bytes::<Chunk>(bytes) {
        let kept = postcard::to_stdvec(&chunk).expect("a chunk is kept");
        assert_eq!(postcard::from_bytes::<Chunk>(&kept), Ok(chunk), "a chunk is what was kept");
    }
    if let Ok(entry) = postcard::from_bytes::<Entry>(bytes) {
        let kept = postcard::to_stdvec(&entry).expect("an entry is kept");
        if let Outcome::Done(value) = &entry.outcome
            && let Ok(value) = decode(value)
        {
            holds(&value);
        }
        let place = entry.key.place();
        assert_eq!(signalbox_core::journal::place(&place), place, "a place has no tries");
        let again = postcard::from_bytes::<Entry>(&kept).expect("an entry is read");
        assert_eq!(again, entry, "an entry is what was kept");
    }
}

pub(crate) fn seeds(_: &Path) -> Vec<Seed> {
    let json = [
        "null",
        "[true, false, -1, 0.5, 1e300, -0.0, 9223372036854775807, -9223372036854775808]",
        r#"{"a": {"b": [{}, [], "\u00e9\n", "ü"]}, "$bytes": "no", "z": {"$bytes": "00ff"}}"#,
        "[9223372036854775808]",
        "[[[[[[[[[[[[1]]]]]]]]]]]]",
        "5e-324",
    ];
    let mut seeds = texts(json);
    let values = json.iter().filter_map(|text| from_json_str(text).ok());
    seeds.extend(values.map(|value| Seed(encode(&value))));
    let chunk = crate::frames::chunk();
    seeds.extend(chunk.entries.iter().map(|entry| Seed(kept(entry))));
    seeds.push(Seed(kept(&chunk)));
    seeds
}

fn kept<T: serde::Serialize>(value: &T) -> Vec<u8> {
    postcard::to_stdvec(value).expect("it is kept")
}

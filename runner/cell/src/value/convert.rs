//! Between values and what scripts have.

use rhai::{Array, Blob, Dynamic, ImmutableString, Map};
use signalbox_core::Value;
use signalbox_core::codes::Code;
use signalbox_core::journal::Failure;
use signalbox_core::secret::has_marker;
use signalbox_core::value::MAX_DEPTH;

use super::{Response, Secret};

fn bad(message: impl Into<String>) -> Failure {
    Failure::permanent(Code::BadValue, message)
}

/// The value of a script's value. A secret's handle becomes its marker, a response a map.
///
/// # Errors
/// A number that is not finite, a function, a moment, or anything nested too deep.
pub(crate) fn to_value(value: &Dynamic) -> Result<Value, Failure> {
    convert(value, 0)
}

fn convert(value: &Dynamic, depth: usize) -> Result<Value, Failure> {
    if value.is_unit() {
        return Ok(Value::Null);
    }
    if let Ok(truth) = value.as_bool() {
        return Ok(Value::Bool(truth));
    }
    if let Ok(number) = value.as_int() {
        return Ok(Value::Int(number));
    }
    if let Ok(number) = value.as_float() {
        return if number.is_finite() {
            Ok(Value::Float(number))
        } else {
            Err(bad(format!("the number {number} is not finite and cannot leave a script")))
        };
    }
    if let Some(text) = value.read_lock::<ImmutableString>() {
        return Ok(Value::String(text.to_string()));
    }
    if let Ok(character) = value.as_char() {
        return Ok(Value::String(character.to_string()));
    }
    if let Some(bytes) = value.read_lock::<Blob>() {
        return Ok(Value::Bytes(bytes.clone()));
    }
    if let Some(secret) = value.read_lock::<Secret>() {
        return Ok(Value::String(secret.marker().to_string()));
    }
    nested(value, depth)
}

fn nested(value: &Dynamic, depth: usize) -> Result<Value, Failure> {
    let response = value.read_lock::<Response>().map(|response| response.to_value());
    if let Some(response) = response {
        return Ok(response);
    }
    if depth == MAX_DEPTH && (value.is_array() || value.is_map()) {
        return Err(bad(format!(
            "a value that is nested deeper than {MAX_DEPTH} cannot leave a script"
        )));
    }
    if let Some(items) = value.read_lock::<Array>() {
        let items = items.iter().map(|item| convert(item, depth + 1));
        return Ok(Value::List(items.collect::<Result<_, _>>()?));
    }
    if let Some(map) = value.read_lock::<Map>() {
        let pairs = map.iter().map(|(key, item)| Ok((key.to_string(), convert(item, depth + 1)?)));
        return Ok(Value::Map(pairs.collect::<Result<_, Failure>>()?));
    }
    Err(bad(format!("a {} cannot leave a script", short(value.type_name()))))
}

/// The last part of a type's path.
fn short(name: &str) -> &str {
    name.rsplit("::").next().unwrap_or(name)
}

/// The script's value of a value.
pub(crate) fn to_dynamic(value: Value) -> Dynamic {
    match value {
        Value::Null => Dynamic::UNIT,
        Value::Bool(truth) => truth.into(),
        Value::Int(number) => number.into(),
        Value::Float(number) => number.into(),
        Value::String(text) => text.into(),
        Value::Bytes(bytes) => Dynamic::from_blob(bytes),
        Value::List(items) => Dynamic::from_array(items.into_iter().map(to_dynamic).collect()),
        Value::Map(map) => Dynamic::from_map(
            map.into_iter().map(|(key, value)| (key.into(), to_dynamic(value))).collect(),
        ),
    }
}

/// Refuses a value that carries a marker of a secret: it would be stored or shown.
///
/// # Errors
/// It carries one.
pub(crate) fn refuse_secrets(value: &Value, place: &str) -> Result<(), Failure> {
    let mut found = false;
    value.each_text(&mut |text| found |= has_marker(text));
    if found { Err(misused(place)) } else { Ok(()) }
}

/// The failure of a secret's handle in a place where it means nothing.
pub(crate) fn misused(place: &str) -> Failure {
    Failure::permanent(
        Code::SecretMisused,
        format!(
            "a secret's handle in {place}: it means something in header values and for connectors only"
        ),
    )
}

//! The JSON form of a value.

use serde_json::Value as Json;

use super::{MAX_DEPTH, Value};
use crate::text::{hex, unhex};

/// The key that marks bytes in JSON: `{"$bytes": "<hex>"}`.
const BYTES_KEY: &str = "$bytes";

/// JSON that no value can hold exactly.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FromJsonError {
    /// Not JSON at all.
    #[error("not JSON: {0}")]
    Syntax(String),
    /// A number that is neither an `i64` nor a finite float.
    #[error("the number {0} does not fit: integers go from -2^63 to 2^63-1")]
    Number(String),
    /// Nested deeper than [`MAX_DEPTH`].
    #[error("nested deeper than {MAX_DEPTH}")]
    TooDeep,
}

/// Reads JSON text. An integer that does not fit is refused here even where the JSON reader would
/// have made a float of it.
pub fn from_json_str(text: &str) -> Result<Value, FromJsonError> {
    let json: Json =
        serde_json::from_str(text).map_err(|error| FromJsonError::Syntax(error.to_string()))?;
    match oversized_integer(text) {
        Some(number) => Err(FromJsonError::Number(number.to_owned())),
        None => from_json(&json),
    }
}

/// The first integer literal outside of strings that no `i64` holds. `text` is valid JSON.
fn oversized_integer(text: &str) -> Option<&str> {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'"' => {
                at += 1;
                while at < bytes.len() && bytes[at] != b'"' {
                    at += if bytes[at] == b'\\' { 2 } else { 1 };
                }
                at += 1;
            }
            b'-' | b'0'..=b'9' => {
                let start = at;
                while at < bytes.len()
                    && matches!(bytes[at], b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9')
                {
                    at += 1;
                }
                let number = &text[start..at];
                if number.len() > 18
                    && number.bytes().all(|byte| byte == b'-' || byte.is_ascii_digit())
                    && number.parse::<i64>().is_err()
                {
                    return Some(number);
                }
            }
            _ => at += 1,
        }
    }
    None
}

/// The value that some JSON says. A number with a fraction or an exponent is a float.
pub fn from_json(json: &Json) -> Result<Value, FromJsonError> {
    convert(json, 0)
}

fn convert(json: &Json, depth: usize) -> Result<Value, FromJsonError> {
    if depth == MAX_DEPTH && matches!(json, Json::Array(_) | Json::Object(_)) {
        return Err(FromJsonError::TooDeep);
    }
    Ok(match json {
        Json::Null => Value::Null,
        Json::Bool(truth) => Value::Bool(*truth),
        Json::Number(number) => {
            let float = || number.as_f64().filter(|float| float.is_finite() && number.is_f64());
            match (number.as_i64(), float()) {
                (Some(integer), _) => Value::Int(integer),
                (None, Some(float)) => Value::Float(float),
                (None, None) => return Err(FromJsonError::Number(number.to_string())),
            }
        }
        Json::String(text) => Value::String(text.clone()),
        Json::Array(items) => Value::List(
            items.iter().map(|item| convert(item, depth + 1)).collect::<Result<_, _>>()?,
        ),
        Json::Object(map) => match bytes_of(map) {
            Some(bytes) => Value::Bytes(bytes),
            None => Value::Map(
                map.iter()
                    .map(|(key, value)| Ok((key.clone(), convert(value, depth + 1)?)))
                    .collect::<Result<_, FromJsonError>>()?,
            ),
        },
    })
}

fn bytes_of(map: &serde_json::Map<String, Json>) -> Option<Vec<u8>> {
    unhex(map.get(BYTES_KEY)?.as_str().filter(|_| map.len() == 1)?)
}

/// The JSON form of a value.
pub fn to_json(value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Bool(truth) => Json::Bool(*truth),
        Value::Int(number) => Json::from(*number),
        Value::Float(number) => Json::from(*number),
        Value::String(text) => Json::String(text.clone()),
        Value::Bytes(bytes) => serde_json::json!({ BYTES_KEY: hex(bytes) }),
        Value::List(items) => Json::Array(items.iter().map(to_json).collect()),
        Value::Map(map) => {
            Json::Object(map.iter().map(|(key, value)| (key.clone(), to_json(value))).collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_beyond_i64_are_refused_not_rounded() {
        assert_eq!(from_json_str("9223372036854775807"), Ok(Value::Int(i64::MAX)));
        assert!(matches!(from_json_str("9223372036854775808"), Err(FromJsonError::Number(_))));
        assert!(from_json_str("[\"\\\"\", 1000000000000000000000000]").is_err());
        assert_eq!(from_json_str("1.0"), Ok(Value::Float(1.0)));
        assert!(from_json_str("1000000000000000000000.0").is_ok());
        assert!(from_json_str("\"1000000000000000000000000\"").is_ok());
    }

    #[test]
    fn only_hexadecimal_digits_are_bytes() {
        let bytes = from_json_str(r#"{"$bytes": "00fF"}"#);
        assert_eq!(bytes, Ok(Value::Bytes(vec![0, 255])));
        for map in [r#"{"$bytes": "+f"}"#, r#"{"$bytes": "f"}"#, r#"{"$bytes": "é"}"#] {
            assert!(matches!(from_json_str(map), Ok(Value::Map(_))), "{map}");
        }
    }

    #[test]
    fn floats_are_exact() {
        let text = "0.1";
        assert_eq!(to_json(&from_json_str(text).unwrap()).to_string(), text);
        let text = "5e-324";
        assert_eq!(to_json(&from_json_str(text).unwrap()).to_string(), text);
    }
}

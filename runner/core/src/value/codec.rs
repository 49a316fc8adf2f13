//! The canonical binary form of a value.
//!
//! One tag byte, then: integers and floats as 8 bytes little-endian (floats by their bits, -0.0
//! kept); text, bytes, lists and maps preceded by a `u32` little-endian length; maps in key order.
//! A decoder refuses whatever an encoder would not have written.

use std::collections::BTreeMap;

use super::{MAX_DEPTH, Value};

const NULL: u8 = 0;
const FALSE: u8 = 1;
const TRUE: u8 = 2;
const INT: u8 = 3;
const FLOAT: u8 = 4;
const STRING: u8 = 5;
const BYTES: u8 = 6;
const LIST: u8 = 7;
const MAP: u8 = 8;

/// Bytes that are not the canonical form of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The bytes end before the value does.
    #[error("value is cut short")]
    Truncated,
    /// There are bytes after the value.
    #[error("value is followed by other bytes")]
    Trailing,
    /// An unknown tag.
    #[error("value has the unknown tag {0}")]
    Tag(u8),
    /// Text that is not UTF-8.
    #[error("text in a value is not UTF-8")]
    Utf8,
    /// A NaN or an infinity.
    #[error("number in a value is not finite")]
    NotFinite,
    /// Keys out of order or twice.
    #[error("keys of a map are out of order")]
    KeyOrder,
    /// Nested deeper than [`MAX_DEPTH`].
    #[error("value is nested deeper than {MAX_DEPTH}")]
    TooDeep,
}

/// The canonical bytes of a value.
pub fn encode(value: &Value) -> Vec<u8> {
    let mut out = Vec::with_capacity(64);
    encode_into(value, &mut out);
    out
}

/// Appends the canonical bytes of a value.
pub fn encode_into(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Null => out.push(NULL),
        Value::Bool(false) => out.push(FALSE),
        Value::Bool(true) => out.push(TRUE),
        Value::Int(number) => {
            out.push(INT);
            out.extend_from_slice(&number.to_le_bytes());
        }
        Value::Float(number) => {
            out.push(FLOAT);
            out.extend_from_slice(&number.to_bits().to_le_bytes());
        }
        Value::String(text) => {
            out.push(STRING);
            sized(text.as_bytes(), out);
        }
        Value::Bytes(bytes) => {
            out.push(BYTES);
            sized(bytes, out);
        }
        Value::List(items) => {
            out.push(LIST);
            length(items.len(), out);
            for item in items {
                encode_into(item, out);
            }
        }
        Value::Map(map) => {
            out.push(MAP);
            length(map.len(), out);
            for (key, value) in map {
                sized(key.as_bytes(), out);
                encode_into(value, out);
            }
        }
    }
}

fn length(length: usize, out: &mut Vec<u8>) {
    // A value of 4 GiB cannot be reached: every border is bounded at 8 MiB.
    out.extend_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes());
}

fn sized(bytes: &[u8], out: &mut Vec<u8>) {
    length(bytes.len(), out);
    out.extend_from_slice(bytes);
}

/// Reads a value from its canonical bytes.
pub fn decode(bytes: &[u8]) -> Result<Value, DecodeError> {
    let mut reader = Reader { rest: bytes };
    let value = reader.value(0)?;
    if reader.rest.is_empty() { Ok(value) } else { Err(DecodeError::Trailing) }
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], DecodeError> {
        let (head, rest) = self.rest.split_at_checked(count).ok_or(DecodeError::Truncated)?;
        self.rest = rest;
        Ok(head)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        self.take(N)?.try_into().map_err(|_| DecodeError::Truncated)
    }

    fn length(&mut self) -> Result<usize, DecodeError> {
        let length = u32::from_le_bytes(self.array()?) as usize;
        // Every element takes a byte at least: a lying length cannot make us reserve memory.
        if length > self.rest.len() { Err(DecodeError::Truncated) } else { Ok(length) }
    }

    fn text(&mut self) -> Result<String, DecodeError> {
        let length = self.length()?;
        let text = std::str::from_utf8(self.take(length)?).map_err(|_| DecodeError::Utf8)?;
        Ok(text.to_owned())
    }

    fn value(&mut self, depth: usize) -> Result<Value, DecodeError> {
        let [tag] = self.array()?;
        Ok(match tag {
            NULL => Value::Null,
            FALSE => Value::Bool(false),
            TRUE => Value::Bool(true),
            INT => Value::Int(i64::from_le_bytes(self.array()?)),
            FLOAT => {
                let number = f64::from_bits(u64::from_le_bytes(self.array()?));
                if !number.is_finite() {
                    return Err(DecodeError::NotFinite);
                }
                Value::Float(number)
            }
            STRING => Value::String(self.text()?),
            BYTES => {
                let length = self.length()?;
                Value::Bytes(self.take(length)?.to_vec())
            }
            LIST | MAP if depth == MAX_DEPTH => return Err(DecodeError::TooDeep),
            LIST => {
                let length = self.length()?;
                Value::List((0..length).map(|_| self.value(depth + 1)).collect::<Result<_, _>>()?)
            }
            MAP => self.map(depth)?,
            tag => return Err(DecodeError::Tag(tag)),
        })
    }

    fn map(&mut self, depth: usize) -> Result<Value, DecodeError> {
        let length = self.length()?;
        let mut map = BTreeMap::new();
        for _ in 0..length {
            let key = self.text()?;
            if map.last_key_value().is_some_and(|(last, _)| *last >= key) {
                return Err(DecodeError::KeyOrder);
            }
            map.insert(key, self.value(depth + 1)?);
        }
        Ok(Value::Map(map))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::value::{from_json, to_json};

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::Bool),
            any::<i64>().prop_map(Value::Int),
            any::<f64>().prop_filter("finite", |n| n.is_finite()).prop_map(Value::Float),
            ".*".prop_map(Value::String),
            any::<Vec<u8>>().prop_map(Value::Bytes),
        ];
        leaf.prop_recursive(5, 64, 8, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..8).prop_map(Value::List),
                prop::collection::btree_map(".*", inner, 0..8).prop_map(Value::Map),
            ]
        })
    }

    proptest! {
        #[test]
        fn a_value_survives_both_of_its_forms(value in values()) {
            prop_assert_eq!(&decode(&encode(&value)).unwrap(), &value);
            let text = to_json(&value).to_string();
            let json: serde_json::Value = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(&from_json(&json).unwrap(), &value);
        }

        #[test]
        fn any_bytes_decode_or_are_refused_and_what_decodes_is_canonical(
            bytes in prop::collection::vec(any::<u8>(), 0..200)
        ) {
            if let Ok(value) = decode(&bytes) {
                prop_assert_eq!(encode(&value), bytes);
            }
        }
    }

    #[test]
    fn depth_is_bounded_while_decoding() {
        let mut value = Value::Null;
        for _ in 0..MAX_DEPTH {
            value = Value::List(vec![value]);
        }
        assert_eq!(decode(&encode(&value)), Ok(value.clone()));
        let deeper = Value::List(vec![value]);
        assert_eq!(decode(&encode(&deeper)), Err(DecodeError::TooDeep));
    }
}

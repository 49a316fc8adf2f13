//! The value itself, and what can be asked of it.

use std::collections::BTreeMap;
use std::fmt;

use super::{from_json, to_json};

/// Deepest nesting of a value; `[[1]]` has depth 2.
pub const MAX_DEPTH: usize = 64;

/// A value. Maps are ordered by key, so that equal values look equal everywhere.
#[derive(Clone, Default, PartialEq)]
pub enum Value {
    /// Nothing; `()` in scripts.
    #[default]
    Null,
    /// A truth value.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A finite number; never NaN or infinite.
    Float(f64),
    /// Text.
    String(String),
    /// Raw bytes; a blob in scripts.
    Bytes(Vec<u8>),
    /// A list.
    List(Vec<Value>),
    /// A map with text keys.
    Map(BTreeMap<String, Value>),
}

impl Value {
    /// What kind of value this is, in the words of the inputs' schema.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "boolean",
            Self::Int(_) => "integer",
            Self::Float(_) => "number",
            Self::String(_) => "string",
            Self::Bytes(_) => "bytes",
            Self::List(_) => "array",
            Self::Map(_) => "object",
        }
    }

    /// The text, if this is text.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// The number, if this is a whole number.
    pub fn as_int(&self) -> Option<i64> {
        match self {
            Self::Int(number) => Some(*number),
            _ => None,
        }
    }

    /// The map, if this is a map.
    pub fn as_map(&self) -> Option<&BTreeMap<String, Self>> {
        match self {
            Self::Map(map) => Some(map),
            _ => None,
        }
    }

    /// The value below `key`, if this is a map that has it.
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.as_map()?.get(key)
    }

    /// How deep the value is nested; 0 for anything but lists and maps.
    pub fn depth(&self) -> usize {
        match self {
            Self::List(items) => 1 + items.iter().map(Self::depth).max().unwrap_or(0),
            Self::Map(map) => 1 + map.values().map(Self::depth).max().unwrap_or(0),
            _ => 0,
        }
    }

    /// Calls `visit` with every text in the value, keys included.
    pub fn each_text(&self, visit: &mut dyn FnMut(&str)) {
        match self {
            Self::String(text) => visit(text),
            Self::List(items) => items.iter().for_each(|item| item.each_text(visit)),
            Self::Map(map) => map.iter().for_each(|(key, value)| {
                visit(key);
                value.each_text(visit);
            }),
            Self::Null | Self::Bool(_) | Self::Int(_) | Self::Float(_) | Self::Bytes(_) => {}
        }
    }

    /// A map from pairs.
    pub fn map<K: Into<String>, const N: usize>(pairs: [(K, Self); N]) -> Self {
        Self::Map(pairs.into_iter().map(|(key, value)| (key.into(), value)).collect())
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", to_json(self))
    }
}

macro_rules! from {
    ($($source:ty => $make:expr;)*) => {$(
        impl From<$source> for Value {
            fn from(value: $source) -> Self {
                ($make)(value)
            }
        }
    )*};
}

from! {
    bool => Self::Bool;
    i64 => Self::Int;
    String => Self::String;
    &str => |text: &str| Self::String(text.to_owned());
    Vec<Self> => Self::List;
    BTreeMap<String, Self> => Self::Map;
}

impl serde::Serialize for Value {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        to_json(self).serialize(serializer)
    }
}

impl<'de> serde::Deserialize<'de> for Value {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let json = serde_json::Value::deserialize(deserializer)?;
        from_json(&json).map_err(serde::de::Error::custom)
    }
}

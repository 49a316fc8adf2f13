//! What a flow takes: a subset of JSON Schema, written short.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::diagnostic::did_you_mean;
use crate::value::Value;

/// The inputs of a flow, by name. A flow without any takes whatever it is given.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Schema {
    /// The inputs.
    pub fields: BTreeMap<String, Field>,
}

/// The types of an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Type {
    /// Anything.
    Any,
    /// A truth value.
    Boolean,
    /// A whole number.
    Integer,
    /// A number, whole or not.
    Number,
    /// Text.
    String,
    /// A list.
    Array,
    /// A map.
    Object,
}

impl Type {
    /// Every type with its name in a flow file.
    pub const ALL: [(&'static str, Self); 7] = [
        ("any", Self::Any),
        ("boolean", Self::Boolean),
        ("integer", Self::Integer),
        ("number", Self::Number),
        ("string", Self::String),
        ("array", Self::Array),
        ("object", Self::Object),
    ];

    /// Its name in a flow file.
    pub fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(_, kind)| *kind == self).map_or("any", |(name, _)| name)
    }

    fn takes(self, value: &Value) -> bool {
        matches!(
            (self, value),
            (Self::Any, _)
                | (Self::Boolean, Value::Bool(_))
                | (Self::Integer, Value::Int(_))
                | (Self::Number, Value::Int(_) | Value::Float(_))
                | (Self::String, Value::String(_))
                | (Self::Array, Value::List(_))
                | (Self::Object, Value::Map(_))
        )
    }

    fn takes_all_of(self, other: Self) -> bool {
        self == other || self == Self::Any || (self == Self::Number && other == Self::Integer)
    }
}

/// One input.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Field {
    /// Its type.
    pub kind: Type,
    /// For people.
    pub description: Option<String>,
    /// Whether it must be given.
    pub required: bool,
    /// What it is when not given.
    pub default: Option<Value>,
    /// The only values allowed.
    pub options: Option<Vec<Value>>,
    /// Smallest number.
    pub min: Option<f64>,
    /// Largest number.
    pub max: Option<f64>,
    /// Fewest characters or elements.
    pub min_length: Option<u64>,
    /// Most characters or elements.
    pub max_length: Option<u64>,
    /// What every element of an array must be.
    pub items: Option<Type>,
}

impl Field {
    /// An optional input of some type.
    pub fn of(kind: Type) -> Self {
        Self {
            kind,
            description: None,
            required: false,
            default: None,
            options: None,
            min: None,
            max: None,
            min_length: None,
            max_length: None,
            items: None,
        }
    }

    /// Whether it is missing when it is left out: a default stands in even for what is required.
    fn must_be_given(&self) -> bool {
        self.required && self.default.is_none()
    }

    /// What is wrong with a value, if anything.
    pub fn fault(&self, value: &Value) -> Option<String> {
        if !self.kind.takes(value) {
            return Some(format!("must be of type {}, not {}", self.kind.as_str(), value.kind()));
        }
        if let Some(options) = &self.options
            && !options.contains(value)
        {
            let options: Vec<_> = options.iter().map(ToString::to_string).collect();
            return Some(format!("must be one of {}", options.join(", ")));
        }
        self.number_fault(value).or_else(|| self.length_fault(value)).or_else(|| {
            let (Some(kind), Value::List(items)) = (self.items, value) else { return None };
            let wrong = items.iter().position(|item| !kind.takes(item))?;
            Some(format!("must have elements of type {}; element {wrong} is not", kind.as_str()))
        })
    }

    fn number_fault(&self, value: &Value) -> Option<String> {
        #[expect(clippy::cast_precision_loss, reason = "bounds are floats; 2^53 is near enough")]
        let number = match value {
            Value::Int(number) => *number as f64,
            Value::Float(number) => *number,
            _ => return None,
        };
        match (self.min, self.max) {
            (Some(min), _) if number < min => Some(format!("must be at least {min}")),
            (_, Some(max)) if number > max => Some(format!("must be at most {max}")),
            _ => None,
        }
    }

    fn length_fault(&self, value: &Value) -> Option<String> {
        let (length, what) = match value {
            Value::String(text) => (text.chars().count() as u64, "characters"),
            Value::List(items) => (items.len() as u64, "elements"),
            _ => return None,
        };
        match (self.min_length, self.max_length) {
            (Some(min), _) if length < min => Some(format!("must have at least {min} {what}")),
            (_, Some(max)) if length > max => Some(format!("must have at most {max} {what}")),
            _ => None,
        }
    }

    /// Why a caller that fits `self` may not fit `newer`, if so.
    fn narrowed_by(&self, newer: &Self) -> Option<&'static str> {
        let tighter_min = |old: Option<f64>, new: Option<f64>| {
            new.is_some_and(|new| old.is_none_or(|old| new > old))
        };
        let tighter_max = |old: Option<f64>, new: Option<f64>| {
            new.is_some_and(|new| old.is_none_or(|old| new < old))
        };
        #[expect(clippy::cast_precision_loss, reason = "lengths are far below 2^53")]
        let float = |length: Option<u64>| length.map(|length| length as f64);
        let options_shrank = newer.options.as_ref().is_some_and(|new| {
            self.options.as_ref().is_none_or(|old| old.iter().any(|value| !new.contains(value)))
        });
        if !newer.kind.takes_all_of(self.kind) {
            Some("its type changed")
        } else if newer.must_be_given() && !self.must_be_given() {
            Some("it became required")
        } else if options_shrank {
            Some("fewer values are allowed")
        } else if tighter_min(self.min, newer.min)
            || tighter_max(self.max, newer.max)
            || tighter_min(float(self.min_length), float(newer.min_length))
            || tighter_max(float(self.max_length), float(newer.max_length))
        {
            Some("its bounds became narrower")
        } else if newer.items.is_some_and(|new| !new.takes_all_of(self.items.unwrap_or(Type::Any)))
        {
            Some("the type of its elements changed")
        } else {
            None
        }
    }
}

/// Something wrong with one input.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// The input; empty when the inputs as a whole are meant.
    pub input: String,
    /// What is wrong.
    pub message: String,
}

impl Schema {
    /// Checks some inputs and adds the defaults. Every fault is reported.
    ///
    /// A schema without fields takes any map as it is.
    pub fn apply(&self, inputs: &Value) -> Result<Value, Vec<Fault>> {
        let given = match inputs {
            Value::Map(map) => map.clone(),
            Value::Null => BTreeMap::new(),
            other => {
                let message = format!("inputs must be an object, not {}", other.kind());
                return Err(vec![Fault { input: String::new(), message }]);
            }
        };
        if self.fields.is_empty() {
            return Ok(Value::Map(given));
        }
        let faults = self.faults(given.iter().map(|(name, value)| (name.as_str(), Some(value))));
        if !faults.is_empty() {
            return Err(faults);
        }
        let mut complete = given;
        for (name, field) in &self.fields {
            if let Some(default) = &field.default {
                complete.entry(name.clone()).or_insert_with(|| default.clone());
            }
        }
        Ok(Value::Map(complete))
    }

    /// Every fault of inputs that are all known; what is no map has none.
    pub fn faults_of(&self, inputs: &Value) -> Vec<Fault> {
        let Value::Map(given) = inputs else { return Vec::new() };
        self.faults(given.iter().map(|(name, value)| (name.as_str(), Some(value))))
    }

    /// Every fault of some inputs, of which a value may be unknown (`None`).
    pub fn faults<'a>(
        &self,
        inputs: impl Iterator<Item = (&'a str, Option<&'a Value>)>,
    ) -> Vec<Fault> {
        if self.fields.is_empty() {
            return Vec::new();
        }
        let given: BTreeMap<_, _> = inputs.collect();
        let mut faults = Vec::new();
        for (name, value) in &given {
            let message = match (self.fields.get(*name), value) {
                (Some(field), Some(value)) => field.fault(value),
                (Some(_), None) => None,
                (None, _) => Some(self.unknown(name)),
            };
            faults.extend(message.map(|message| Fault { input: (*name).to_owned(), message }));
        }
        for (name, field) in &self.fields {
            if field.must_be_given() && !given.contains_key(name.as_str()) {
                faults.push(Fault { input: name.clone(), message: "is required".to_owned() });
            }
        }
        faults
    }

    fn unknown(&self, name: &str) -> String {
        match did_you_mean(name, self.fields.keys().map(String::as_str)) {
            Some(near) => format!("is not an input; did you mean `{near}`?"),
            None => "is not an input".to_owned(),
        }
    }

    /// What would break callers that fit `self` if it became `newer`.
    pub fn breaks(&self, newer: &Self) -> Vec<Fault> {
        let fault = |name: &String, message: &str| Fault {
            input: name.clone(),
            message: message.to_owned(),
        };
        let mut faults = Vec::new();
        for (name, field) in &newer.fields {
            match self.fields.get(name) {
                Some(old) => {
                    faults.extend(old.narrowed_by(field).map(|message| fault(name, message)));
                }
                None if field.must_be_given() => faults.push(fault(name, "it is new and required")),
                None => {}
            }
        }
        if !newer.fields.is_empty() {
            let gone = self.fields.keys().filter(|name| !newer.fields.contains_key(*name));
            faults.extend(gone.map(|name| fault(name, "it was removed")));
            if self.fields.is_empty() {
                faults.push(Fault {
                    input: String::new(),
                    message: "any inputs were taken; now only named ones are".to_owned(),
                });
            }
        }
        faults
    }

    /// The same as JSON Schema (draft-07), for clients and forms.
    pub fn to_json_schema(&self) -> serde_json::Value {
        let required = self.fields.iter().filter(|(_, field)| field.must_be_given());
        let required: Vec<_> = required.map(|(name, _)| name).collect();
        let properties: serde_json::Map<_, _> =
            self.fields.iter().map(|(name, field)| (name.clone(), property(field))).collect();
        serde_json::json!({
            "$schema": "http://json-schema.org/draft-07/schema#",
            "type": "object",
            "properties": properties,
            "required": required,
            "additionalProperties": self.fields.is_empty(),
        })
    }
}

fn property(field: &Field) -> serde_json::Value {
    let mut property = serde_json::Map::new();
    let mut put = |key: &str, value: Option<serde_json::Value>| {
        property.extend(value.map(|value| (key.to_owned(), value)));
    };
    put("type", (field.kind != Type::Any).then(|| field.kind.as_str().into()));
    put("description", field.description.clone().map(Into::into));
    put("default", field.default.as_ref().map(crate::value::to_json));
    put("enum", field.options.as_ref().map(|all| all.iter().map(crate::value::to_json).collect()));
    put("minimum", field.min.map(Into::into));
    put("maximum", field.max.map(Into::into));
    let (least, most) = if field.kind == Type::Array {
        ("minItems", "maxItems")
    } else {
        ("minLength", "maxLength")
    };
    put(least, field.min_length.map(Into::into));
    put(most, field.max_length.map(Into::into));
    let items = field.items.filter(|kind| *kind != Type::Any);
    put("items", items.map(|kind| serde_json::json!({ "type": kind.as_str() })));
    property.into()
}

/// Faults in one line: `name is required; count is no integer`.
pub fn list(faults: &[Fault]) -> String {
    let all = faults.iter().map(|fault| format!("{} {}", fault.input, fault.message));
    all.map(|fault| fault.trim().to_owned()).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema(fields: &[(&str, Field)]) -> Schema {
        Schema { fields: fields.iter().cloned().map(|(n, f)| (n.to_owned(), f)).collect() }
    }

    #[test]
    fn every_fault_is_reported_and_defaults_are_added() {
        let severity = Field {
            options: Some(vec!["low".into(), "high".into()]),
            default: Some("low".into()),
            ..Field::of(Type::String)
        };
        let message = Field { required: true, max_length: Some(3), ..Field::of(Type::String) };
        let schema = schema(&[("severity", severity), ("message", message)]);
        let good = schema.apply(&Value::map([("message", "abc".into())])).unwrap();
        assert_eq!(good, Value::map([("message", "abc".into()), ("severity", "low".into())]));
        let bad = Value::map([("severity", "x".into()), ("mesage", "abc".into())]);
        let faults = schema.apply(&bad).unwrap_err();
        let of = |name: &str| faults.iter().find(|f| f.input == name).unwrap().message.clone();
        assert_eq!(of("severity"), "must be one of \"low\", \"high\"");
        assert_eq!(of("mesage"), "is not an input; did you mean `message`?");
        assert_eq!(of("message"), "is required");
        assert!(schema.apply(&Value::map([("message", "abcd".into())])).is_err());
        assert!(schema.apply(&Value::Int(1)).is_err());
    }

    #[test]
    fn a_required_input_with_a_default_may_be_left_out() {
        let limit =
            Field { required: true, default: Some(Value::Int(20)), ..Field::of(Type::Integer) };
        let schema = schema(&[("limit", limit)]);
        assert_eq!(schema.apply(&Value::Null), Ok(Value::map([("limit", Value::Int(20))])));
        assert!(schema.apply(&Value::map([("limit", Value::Null)])).is_err());
    }

    #[test]
    fn a_narrower_schema_breaks_callers_and_a_wider_one_does_not() {
        let optional = schema(&[("a", Field::of(Type::Integer))]);
        let wider = schema(&[("a", Field::of(Type::Number)), ("b", Field::of(Type::String))]);
        assert_eq!(optional.breaks(&wider), vec![]);
        assert_eq!(wider.breaks(&optional).len(), 2, "a narrowed, b removed");
        let required = schema(&[("a", Field { required: true, ..Field::of(Type::Integer) })]);
        assert_eq!(optional.breaks(&required)[0].message, "it became required");
    }
}

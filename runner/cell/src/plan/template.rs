//! Templates: values whose texts may hold `${...}`.

use signalbox_core::Value;
use signalbox_core::template::{Part, parse};

use super::program::Code;
use crate::fault::Described;

/// A value with code in it.
pub(super) enum Template {
    /// Nothing to evaluate.
    Constant(Value),
    /// `${expression}` alone: the type is kept.
    Whole(Code),
    /// Text with expressions in it.
    Text(Vec<Piece>),
    List(Vec<Template>),
    Map(Vec<(String, Template)>),
}

pub(super) enum Piece {
    Text(String),
    Expression(Code),
}

/// A fault of the template itself (its text), or of an expression in it.
pub(super) enum Fault {
    Template(String),
    Expression(Described),
}

impl Fault {
    pub(super) fn unwrap_or_else(self, make: impl FnOnce(String) -> Described) -> Described {
        match self {
            Self::Template(text) => make(text),
            Self::Expression(described) => described,
        }
    }
}

impl Template {
    /// Takes a value apart, with `compile` for what is inside of `${...}`.
    pub(super) fn compile(
        value: &Value,
        compile: &mut dyn FnMut(&str) -> Result<Code, Described>,
    ) -> Result<Self, Fault> {
        match value {
            Value::String(text) => Self::text(text, compile),
            Value::List(items) => {
                let items = items.iter().map(|item| Self::compile(item, compile));
                Ok(Self::List(items.collect::<Result<_, _>>()?))
            }
            Value::Map(map) => {
                let pairs =
                    map.iter().map(|(key, item)| Ok((key.clone(), Self::compile(item, compile)?)));
                Ok(Self::Map(pairs.collect::<Result<_, _>>()?))
            }
            other => Ok(Self::Constant(other.clone())),
        }
    }

    fn text(
        text: &str,
        compile: &mut dyn FnMut(&str) -> Result<Code, Described>,
    ) -> Result<Self, Fault> {
        let parts = parse(text).map_err(|error| Fault::Template(error.to_string()))?;
        let mut pieces = Vec::with_capacity(parts.len());
        for part in parts {
            pieces.push(match part {
                Part::Text(text) => Piece::Text(text),
                Part::Expression(code, _) => {
                    Piece::Expression(compile(&code).map_err(Fault::Expression)?)
                }
            });
        }
        Ok(match pieces.pop() {
            Some(Piece::Text(text)) if pieces.is_empty() => Self::Constant(Value::String(text)),
            Some(Piece::Expression(code)) if pieces.is_empty() => Self::Whole(code),
            last => {
                pieces.extend(last);
                Self::Text(pieces)
            }
        })
    }

    /// The value, with `evaluate` for the expressions.
    pub(super) fn fill<E>(
        &self,
        evaluate: &mut dyn FnMut(&Code) -> Result<Value, E>,
    ) -> Result<Value, E> {
        Ok(match self {
            Self::Constant(value) => value.clone(),
            Self::Whole(code) => evaluate(code)?,
            Self::Text(pieces) => {
                let mut text = String::new();
                for piece in pieces {
                    match piece {
                        Piece::Text(plain) => text.push_str(plain),
                        Piece::Expression(code) => text.push_str(&shown(&evaluate(code)?)),
                    }
                }
                Value::String(text)
            }
            Self::List(items) => {
                Value::List(items.iter().map(|item| item.fill(evaluate)).collect::<Result<_, _>>()?)
            }
            Self::Map(pairs) => {
                let pairs = pairs.iter().map(|(key, item)| Ok((key.clone(), item.fill(evaluate)?)));
                Value::Map(pairs.collect::<Result<_, _>>()?)
            }
        })
    }
}

/// A value inside of text: text as it is, nothing as nothing, the rest as JSON.
fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

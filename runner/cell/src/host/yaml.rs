//! `yaml::*`: one document of YAML 1.2. Anchors, aliases and tags are refused: a few lines of them
//! can stand for more than any memory holds, and a value has no place for them.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use rhai::{Dynamic, Engine, Module, NativeCallContext};
use saphyr::{Mapping, Scalar, ScalarStyle, Yaml, YamlEmitter};
use saphyr_parser::{Event, Parser};
use signalbox_core::Value;
use signalbox_core::codes::Code;
use signalbox_core::value::MAX_DEPTH;

use super::bounds::{self, MAX_VALUES};
use super::{fail, open_argument, placed};
use crate::context::work;
use crate::fault::HostResult;
use crate::value::to_dynamic;

pub(super) fn register(engine: &mut Engine) {
    let mut module = Module::new();
    module.set_native_fn("decode", |ctx: NativeCallContext, text: &str| {
        placed(&ctx, || decode(text))
    });
    module.set_native_fn("encode", |ctx: NativeCallContext, value: Dynamic| {
        placed(&ctx, || encode(&open_argument(&value, "YAML")?))
    });
    engine.register_static_module("yaml", module.into());
}

fn decode(text: &str) -> HostResult<Dynamic> {
    work(text.len())?;
    // The parser has states that it holds to be unreachable; a text that reaches one is no YAML.
    let read = catch_unwind(AssertUnwindSafe(|| read(text)));
    match read.unwrap_or_else(|_| Err("it cannot be read".to_owned())) {
        Ok(value) => Ok(to_dynamic(value)),
        Err(message) => fail(Code::BadValue, format!("not YAML that can be read: {message}")),
    }
}

/// Reads events without recursion: the parser's own way to build a document has none of our bounds.
fn read(text: &str) -> Result<Value, String> {
    let mut parser = Parser::new_from_str(text.strip_prefix('\u{feff}').unwrap_or(text));
    let mut reader = Reader::default();
    while let Some(event) = parser.next_event() {
        let (event, span) = event.map_err(|error| error.to_string())?;
        let line = span.start.line();
        reader.take(event).map_err(|message| format!("line {line}: {message}"))?;
    }
    Ok(reader.document.unwrap_or_default())
}

/// A collection that is not complete.
enum Open {
    List(Vec<Value>),
    /// With the key whose value comes next.
    Map(BTreeMap<String, Value>, Option<String>),
}

/// What was read so far.
#[derive(Default)]
struct Reader {
    /// The collections around what comes next, the innermost last.
    open: Vec<Open>,
    document: Option<Value>,
    documents: usize,
    values: usize,
}

impl Reader {
    fn take(&mut self, event: Event<'_>) -> Result<(), String> {
        match event {
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => Ok(()),
            Event::DocumentStart(_) => {
                self.documents += 1;
                if self.documents > 1 { Err("a second document".to_owned()) } else { Ok(()) }
            }
            Event::Alias(_) => Err("an alias".to_owned()),
            Event::Scalar(text, style, anchor, tag) => {
                plain_node(anchor, tag.is_some())?;
                match self.open.last_mut() {
                    Some(Open::Map(_, key @ None)) => {
                        *key = Some(text.into_owned());
                        Ok(())
                    }
                    _ => self.complete(scalar(&text, style)?),
                }
            }
            Event::SequenceStart(anchor, tag) => {
                plain_node(anchor, tag.is_some())?;
                self.begin(Open::List(Vec::new()))
            }
            Event::MappingStart(anchor, tag) => {
                plain_node(anchor, tag.is_some())?;
                self.begin(Open::Map(BTreeMap::new(), None))
            }
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some(Open::List(items)) => self.complete(Value::List(items)),
                Some(Open::Map(map, _)) => self.complete(Value::Map(map)),
                None => Err("an end without a beginning".to_owned()),
            },
        }
    }

    fn begin(&mut self, collection: Open) -> Result<(), String> {
        if matches!(self.open.last(), Some(Open::Map(_, None))) {
            return Err("a key that is no text".to_owned());
        }
        if self.open.len() == MAX_DEPTH {
            return Err(format!("nested deeper than {MAX_DEPTH}"));
        }
        self.open.push(collection);
        Ok(())
    }

    /// Puts a value where it belongs.
    fn complete(&mut self, value: Value) -> Result<(), String> {
        self.values += 1;
        if self.values > MAX_VALUES {
            return Err(format!("more than {MAX_VALUES} values"));
        }
        match self.open.last_mut() {
            Some(Open::List(items)) => items.push(value),
            Some(Open::Map(map, key)) => {
                let key = key.take().unwrap_or_default();
                if map.contains_key(&key) {
                    return Err(format!("the key `{key}` is given twice"));
                }
                map.insert(key, value);
            }
            None => self.document = Some(value),
        }
        Ok(())
    }
}

fn plain_node(anchor: usize, tagged: bool) -> Result<(), String> {
    match (anchor, tagged) {
        (0, false) => Ok(()),
        (_, true) => Err("a tag; values have the type that they look like".to_owned()),
        (_, false) => Err("an anchor; write the value out where it is used".to_owned()),
    }
}

/// What a scalar says, as in the files of a workspace: `no`, `017` and `1_000` are text.
fn scalar(text: &str, style: ScalarStyle) -> Result<Value, String> {
    if style != ScalarStyle::Plain {
        return Ok(Value::from(text));
    }
    let digits = text.trim_start_matches(['-', '+']);
    let whole = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    match Scalar::parse_from_cow_and_metadata(Cow::Borrowed(text), style, None) {
        None | Some(Scalar::Null) => Ok(Value::Null),
        Some(Scalar::Boolean(truth)) => Ok(Value::Bool(truth)),
        Some(Scalar::Integer(_)) if whole && digits.len() > 1 && digits.starts_with('0') => {
            Ok(Value::from(text))
        }
        Some(Scalar::Integer(number)) => Ok(Value::Int(number)),
        Some(Scalar::FloatingPoint(_)) if whole => {
            Err(format!("the whole number {text} is beyond 64 bits"))
        }
        Some(Scalar::FloatingPoint(number)) if number.is_finite() => {
            Ok(Value::Float(number.into_inner()))
        }
        Some(Scalar::FloatingPoint(_)) => Err(format!("the number {text} is not finite")),
        Some(Scalar::String(text)) => Ok(Value::String(text.into_owned())),
    }
}

fn encode(value: &Value) -> HostResult<String> {
    bounds::no_bytes(value, "YAML")?;
    let mut text = String::new();
    if let Err(error) = YamlEmitter::new(&mut text).dump(&write(value)) {
        return fail(Code::BadValue, error.to_string());
    }
    work(text.len())?;
    let text = text.strip_prefix("---\n").unwrap_or(&text);
    bounds::text(format!("{text}\n"))
}

fn write(value: &Value) -> Yaml<'_> {
    match value {
        Value::Null | Value::Bytes(_) => Yaml::Value(Scalar::Null),
        Value::Bool(truth) => Yaml::Value(Scalar::Boolean(*truth)),
        Value::Int(number) => Yaml::Value(Scalar::Integer(*number)),
        Value::Float(number) => Yaml::Value(Scalar::FloatingPoint((*number).into())),
        Value::String(text) => string(text),
        Value::List(items) => Yaml::Sequence(items.iter().map(write).collect()),
        Value::Map(map) => {
            let pairs = map.iter().map(|(key, item)| (string(key), write(item)));
            Yaml::Mapping(pairs.collect::<Mapping<'_>>())
        }
    }
}

fn string(text: &str) -> Yaml<'_> {
    Yaml::Value(Scalar::String(Cow::Borrowed(text)))
}

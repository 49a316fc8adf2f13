//! `toml::*`: TOML 1.0. Dates and times are text.

use rhai::{Dynamic, Engine, Map, Module, NativeCallContext};
use signalbox_core::Value;
use signalbox_core::codes::Code;
use signalbox_core::value::MAX_DEPTH;
use toml::{Table, Value as Toml};

use super::bounds;
use super::{fail, open_map, placed};
use crate::context::work;
use crate::fault::HostResult;
use crate::value::to_dynamic;

pub(super) fn register(engine: &mut Engine) {
    let mut module = Module::new();
    module.set_native_fn("decode", |ctx: NativeCallContext, text: &str| {
        placed(&ctx, || decode(text))
    });
    module.set_native_fn("encode", |ctx: NativeCallContext, map: Map| {
        placed(&ctx, || encode(&open_map(map, "TOML")?))
    });
    engine.register_static_module("toml", module.into());
}

fn decode(text: &str) -> HostResult<Dynamic> {
    work(text.len())?;
    match toml::from_str::<Table>(text) {
        Ok(table) => Ok(to_dynamic(read(Toml::Table(table), 0, &mut 0)?)),
        Err(error) => {
            let before = error.span().and_then(|span| text.get(..span.start));
            let line = before.map_or(1, |before| before.matches('\n').count() + 1);
            fail(Code::BadValue, format!("not TOML, line {line}: {}", error.message()))
        }
    }
}

fn read(toml: Toml, depth: usize, values: &mut usize) -> HostResult<Value> {
    bounds::count(values)?;
    if depth >= MAX_DEPTH && (toml.is_array() || toml.is_table()) {
        return fail(Code::BadValue, format!("TOML that is nested deeper than {MAX_DEPTH}"));
    }
    Ok(match toml {
        Toml::String(text) => Value::String(text),
        Toml::Integer(number) => Value::Int(number),
        Toml::Float(number) if number.is_finite() => Value::Float(number),
        Toml::Float(number) => {
            return fail(Code::BadValue, format!("the number {number} is not finite"));
        }
        Toml::Boolean(truth) => Value::Bool(truth),
        Toml::Datetime(moment) => Value::String(moment.to_string()),
        Toml::Array(items) => {
            let items = items.into_iter().map(|item| read(item, depth + 1, values));
            Value::List(items.collect::<HostResult<_>>()?)
        }
        Toml::Table(table) => {
            let pairs =
                table.into_iter().map(|(key, item)| Ok((key, read(item, depth + 1, values)?)));
            Value::Map(pairs.collect::<HostResult<_>>()?)
        }
    })
}

fn encode(value: &Value) -> HostResult<String> {
    bounds::no_bytes(value, "TOML")?;
    let text =
        toml::to_string(&write(value)?).or_else(|error| fail(Code::BadValue, error.to_string()))?;
    work(text.len())?;
    bounds::text(text)
}

fn write(value: &Value) -> HostResult<Toml> {
    Ok(match value {
        Value::Null | Value::Bytes(_) => {
            return fail(Code::BadValue, "TOML has no form for `()`; leave the key out");
        }
        Value::Bool(truth) => Toml::Boolean(*truth),
        Value::Int(number) => Toml::Integer(*number),
        Value::Float(number) => Toml::Float(*number),
        Value::String(text) => Toml::String(text.clone()),
        Value::List(items) => Toml::Array(items.iter().map(write).collect::<HostResult<_>>()?),
        Value::Map(map) => {
            let pairs = map.iter().map(|(key, item)| Ok((key.clone(), write(item)?)));
            Toml::Table(pairs.collect::<HostResult<_>>()?)
        }
    })
}

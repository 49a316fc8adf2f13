//! `url::*`: addresses, by the rules that browsers and the runner itself have (WHATWG).

use std::collections::BTreeMap;

use percent_encoding::percent_decode_str;
use rhai::{Array, Dynamic, Engine, Map, Module, NativeCallContext};
use signalbox_core::Value;
use signalbox_core::codes::Code;
use url::Url;

use super::{bounds, fail, open_map, open_text, placed, text};
use crate::context::work;
use crate::fault::HostResult;

pub(super) fn register(engine: &mut Engine) {
    let mut module = Module::new();
    module.set_native_fn("encode", |ctx: NativeCallContext, part: &str| {
        placed(&ctx, || {
            open_text(part, "a URL")?;
            work(part.len())?;
            bounds::text(text::percent_encode(part))
        })
    });
    module.set_native_fn("decode", |ctx: NativeCallContext, part: &str| {
        placed(&ctx, || {
            work(part.len())?;
            match percent_decode_str(part).decode_utf8() {
                Ok(text) => Ok(text.into_owned()),
                Err(_) => fail(Code::BadValue, "what the text stands for is not UTF-8"),
            }
        })
    });
    module.set_native_fn("parse", |ctx: NativeCallContext, text: &str| {
        placed(&ctx, || Ok(parts(&parse(text)?)))
    });
    module.set_native_fn("join", |ctx: NativeCallContext, base: &str, reference: &str| {
        placed(&ctx, || {
            open_text(reference, "a URL")?;
            work(reference.len())?;
            match parse(base)?.join(reference) {
                Ok(url) => bounds::text(url.into()),
                Err(error) => fail(Code::BadValue, format!("`{reference}` is no URL: {error}")),
            }
        })
    });
    module.set_native_fn("query", |ctx: NativeCallContext, map: Map| {
        placed(&ctx, || query(&open_map(map, "a URL")?))
    });
    engine.register_static_module("url", module.into());
}

fn parse(text: &str) -> HostResult<Url> {
    open_text(text, "a URL")?;
    work(text.len())?;
    Url::parse(text).or_else(|error| fail(Code::BadValue, format!("not a URL: {error}")))
}

fn parts(url: &Url) -> Map {
    let text = |part: Option<&str>| part.map_or(Dynamic::UNIT, Into::into);
    let port = url.port_or_known_default().map_or(Dynamic::UNIT, |port| i64::from(port).into());
    let host = url.host_str().map(|host| host.trim_matches(['[', ']']));
    let some = |part: &str| (!part.is_empty()).then(|| part.to_owned());
    let mut map = Map::new();
    map.insert("scheme".into(), url.scheme().into());
    map.insert("user".into(), text(some(url.username()).as_deref()));
    map.insert("password".into(), text(url.password()));
    map.insert("host".into(), text(host));
    map.insert("port".into(), port);
    map.insert("path".into(), url.path().into());
    map.insert("query".into(), pairs(url).into());
    map.insert("fragment".into(), text(url.fragment()));
    map
}

/// What the query says by name; a name that is there more than once has a list.
fn pairs(url: &Url) -> Map {
    let mut found: BTreeMap<String, Array> = BTreeMap::new();
    for (name, value) in url.query_pairs() {
        found.entry(name.into_owned()).or_default().push(value.into_owned().into());
    }
    let pairs = found.into_iter().map(|(name, mut values)| {
        let only = if values.len() == 1 { values.pop() } else { None };
        (name.into(), only.unwrap_or_else(|| Dynamic::from_array(values)))
    });
    pairs.collect()
}

/// `name=value` for every pair, as `http::*` writes its `query`.
fn query(map: &Value) -> HostResult<String> {
    let mut pairs = Vec::new();
    for (name, value) in map.as_map().into_iter().flatten() {
        let values = match value {
            Value::List(items) => items.as_slice(),
            Value::Null => &[],
            other => std::slice::from_ref(other),
        };
        for value in values {
            let value = text::percent_encode(&plain(name, value)?);
            pairs.push(format!("{}={value}", text::percent_encode(name)));
        }
    }
    let query = pairs.join("&");
    work(query.len())?;
    bounds::text(query)
}

fn plain(name: &str, value: &Value) -> HostResult<String> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Int(_) | Value::Float(_) | Value::Bool(_) => Ok(value.to_string()),
        Value::Null | Value::Bytes(_) | Value::List(_) | Value::Map(_) => {
            let kind = value.kind();
            fail(Code::BadValue, format!("`{name}` is a {kind}, where only text fits"))
        }
    }
}

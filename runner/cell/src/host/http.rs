//! `http::*`: requests to hosts that the workspace was granted.

use rhai::{Dynamic, Engine, Map, Module, NativeCallContext};
use signalbox_core::Value;
use signalbox_core::codes::Code;
use signalbox_core::journal::Failure;
use signalbox_core::secret::{basic_marker, has_marker};

use super::{argument, open_argument, open_text, placed, response};
use crate::context;
use crate::effect::ask;
use crate::fault::HostResult;
use crate::protocol::{HttpRequest, Request};
use crate::value::{Response, refuse_secrets};

/// Largest body: DESIGN §6.7.
const MAX_BODY: usize = 4 << 20;
const OPTIONS: [&str; 4] = ["headers", "query", "body", "timeout"];

pub(super) fn register(engine: &mut Engine) {
    let mut module = Module::new();
    for (name, method) in [("get", "GET"), ("delete", "DELETE")] {
        module.set_native_fn(name, move |ctx: NativeCallContext, url: &str| {
            placed(&ctx, || send(method, url, None, Map::new()))
        });
        module.set_native_fn(name, move |ctx: NativeCallContext, url: &str, options: Map| {
            placed(&ctx, || send(method, url, None, options))
        });
    }
    for (name, method) in [("post", "POST"), ("put", "PUT"), ("patch", "PATCH")] {
        module.set_native_fn(name, move |ctx: NativeCallContext, url: &str, body: Dynamic| {
            placed(&ctx, || send(method, url, Some(body), Map::new()))
        });
        module.set_native_fn(
            name,
            move |ctx: NativeCallContext, url: &str, body: Dynamic, options: Map| {
                placed(&ctx, || send(method, url, Some(body), options))
            },
        );
    }
    module.set_native_fn("basic", |ctx: NativeCallContext, user: Dynamic, password: Dynamic| {
        placed(&ctx, || basic(&user, &password))
    });
    module.set_native_fn(
        "request",
        |ctx: NativeCallContext, method: &str, url: &str, options: Map| {
            placed(&ctx, || send(&method.to_ascii_uppercase(), url, None, options))
        },
    );
    engine.register_static_module("http", module.into());
}

fn send(method: &str, url: &str, body: Option<Dynamic>, mut options: Map) -> HostResult<Response> {
    open_text(url, "a URL")?;
    if let Some(unknown) = options.keys().find(|key| !OPTIONS.contains(&key.as_str())) {
        return super::fail(
            Code::BadValue,
            format!(
                "`{unknown}` is no option of a request: there are headers, query, body and timeout"
            ),
        );
    }
    let body = body.or_else(|| options.remove("body"));
    let mut headers = headers(options.get("headers"))?;
    let body = match body {
        Some(body) => bytes(&open_argument(&body, "the body of a request")?, &mut headers),
        None => Vec::new(),
    };
    if body.len() > MAX_BODY {
        let message = format!("a body of {} bytes is over the bound of {MAX_BODY}", body.len());
        return super::fail(Code::LimitExceeded, message);
    }
    let url = match options.get("query") {
        Some(query) => with_query(url, &open_argument(query, "a URL")?)?,
        None => url.to_owned(),
    };
    let timeout_ms = options.get("timeout").map(milliseconds).transpose()?;
    let request = HttpRequest { method: method.to_owned(), url, headers, body, timeout_ms };
    response::of_outcome(&ask(Request::Http(request))?)
}

/// Credentials for the header `authorization` (RFC 7617). With a secret's handle in them the runner
/// encodes them, at the last moment.
fn basic(user: &Dynamic, password: &Dynamic) -> HostResult<String> {
    let (user, password) = (plain(&argument(user)?)?, plain(&argument(password)?)?);
    if !has_marker(&user) && user.contains(':') {
        return super::fail(Code::BadValue, "a user's name with `:` in it, which basic cannot say");
    }
    let credentials = format!("{user}:{password}");
    Ok(if has_marker(&credentials) {
        format!("Basic {}", basic_marker(&credentials))
    } else {
        format!("Basic {}", super::base64::encoded(credentials.as_bytes()))
    })
}

/// Headers from a map of texts or numbers. Handles of secrets may stand here.
fn headers(map: Option<&Dynamic>) -> HostResult<Vec<(String, String)>> {
    let Some(map) = map else { return Ok(Vec::new()) };
    let Value::Map(map) = argument(map)? else {
        return super::fail(Code::BadValue, "the headers of a request are a map");
    };
    map.into_iter()
        .map(|(name, value)| {
            refuse_secrets(&Value::from(name.as_str()), "the name of a header")
                .map_err(context::throw)?;
            Ok((name.to_ascii_lowercase(), plain(&value)?))
        })
        .collect()
}

/// A body: text and bytes as they are, anything else as JSON.
fn bytes(body: &Value, headers: &mut Vec<(String, String)>) -> Vec<u8> {
    match body {
        Value::Null => Vec::new(),
        Value::String(text) => text.clone().into_bytes(),
        Value::Bytes(bytes) => bytes.clone(),
        other => {
            if !headers.iter().any(|(name, _)| name == "content-type") {
                headers.push(("content-type".to_owned(), "application/json".to_owned()));
            }
            other.to_string().into_bytes()
        }
    }
}

/// The URL with a query behind it; what it has already is kept.
fn with_query(url: &str, query: &Value) -> HostResult<String> {
    let Some(map) = query.as_map() else {
        return super::fail(Code::BadValue, "the query of a request is a map");
    };
    let (url, fragment) = url.split_once('#').map_or((url, None), |(url, tail)| (url, Some(tail)));
    let mut out = url.to_owned();
    for (name, value) in map {
        out.push(if out.contains('?') { '&' } else { '?' });
        out.push_str(&super::text::percent_encode(name));
        out.push('=');
        out.push_str(&super::text::percent_encode(&plain(value)?));
    }
    if let Some(fragment) = fragment {
        out.push('#');
        out.push_str(fragment);
    }
    Ok(out)
}

/// Text, a number or a truth value as text.
fn plain(value: &Value) -> HostResult<String> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Int(_) | Value::Float(_) | Value::Bool(_) => Ok(value.to_string()),
        other => {
            let message = format!("a {} in a header or query, where only text fits", other.kind());
            Err(context::throw(Failure::permanent(Code::BadValue, message)))
        }
    }
}

/// A time-out in seconds, whole or not.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "within the bounds just checked"
)]
fn milliseconds(timeout: &Dynamic) -> HostResult<u64> {
    let seconds = match argument(timeout)? {
        Value::Int(seconds) => i32::try_from(seconds).map_or(-1.0, f64::from),
        Value::Float(seconds) => seconds,
        _ => -1.0,
    };
    if (0.001..=86_400.0).contains(&seconds) {
        return Ok((seconds * 1000.0) as u64);
    }
    super::fail(Code::BadValue, "a timeout is a number of seconds from 0.001 to 86400")
}

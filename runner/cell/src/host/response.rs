//! What `http::*` and `http` connectors answer.

use std::time::Duration;

use rhai::{Blob, Dynamic, Engine, Map};
use signalbox_core::Value;
use signalbox_core::clock::Timestamp;
use signalbox_core::codes::Code;
use signalbox_core::value::from_json_str;

use crate::context;
use crate::fault::HostResult;
use crate::protocol::malformed_value;
use crate::run::After;
use crate::value::{Response, to_dynamic};

/// Statuses whose Retry-After means that the same request may be answered later.
const BUSY: [i64; 2] = [429, 503];

pub(super) fn register(engine: &mut Engine) {
    engine.register_type_with_name::<Response>("response");
    engine.register_get("status", |response: &mut Response| response.status);
    engine.register_get("ok", |response: &mut Response| (200..300).contains(&response.status));
    engine.register_get("headers", |response: &mut Response| -> Map {
        let pairs = response.headers.iter();
        pairs.map(|(name, value)| (name.as_str().into(), to_dynamic(value.clone()))).collect()
    });
    engine.register_fn("header", |response: &mut Response, name: &str| header(response, name));
    engine.register_fn("text", |response: &mut Response| text(response));
    engine.register_fn("json", |response: &mut Response| json(response));
    engine.register_fn("bytes", |response: &mut Response| -> Blob { response.body.clone() });
    engine.register_fn("to_string", |response: &mut Response| {
        format!("response {} ({} bytes)", response.status, response.body.len())
    });
}

/// The response that an outcome tells of.
pub(super) fn of_outcome(outcome: &Value) -> HostResult<Response> {
    let response = Response::read(outcome).ok_or_else(|| context::throw(malformed_value()))?;
    context::with_run(|run| run.note_after(retry_after(&response)))?;
    Ok(response)
}

/// How long the other side wants to be left alone: seconds, or a date of HTTP.
fn retry_after(response: &Response) -> Option<After> {
    if !BUSY.contains(&response.status) {
        return None;
    }
    let Value::String(text) = response.headers.get("retry-after")? else { return None };
    let text = text.trim();
    if let Ok(seconds) = text.parse() {
        return Some(After::Pause(Duration::from_secs(seconds)));
    }
    let date = jiff::fmt::rfc2822::parse(text).ok()?;
    Some(After::Moment(Timestamp(date.timestamp().as_microsecond())))
}

fn text(response: &Response) -> HostResult<String> {
    match std::str::from_utf8(&response.body) {
        Ok(text) => Ok(text.to_owned()),
        Err(_) => super::fail(Code::BadValue, "the body of the response is not text"),
    }
}

fn json(response: &Response) -> HostResult<Dynamic> {
    match from_json_str(&text(response)?) {
        Ok(value) => Ok(to_dynamic(value)),
        Err(error) => {
            let message =
                format!("the body of the response (status {}) is {error}", response.status);
            super::fail(Code::BadValue, message)
        }
    }
}

fn header(response: &Response, name: &str) -> Dynamic {
    let value = response.headers.get(&name.to_ascii_lowercase());
    value.cloned().map_or(Dynamic::UNIT, to_dynamic)
}

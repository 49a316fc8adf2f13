//! What `http::*` and `http` connectors answer.

use rhai::{Blob, Dynamic, Engine, Map};
use signalbox_core::Value;
use signalbox_core::codes::Code;
use signalbox_core::value::from_json_str;

use crate::fault::HostResult;
use crate::protocol::malformed_value;
use crate::value::{Response, to_dynamic};

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
    Response::read(outcome).ok_or_else(|| crate::context::throw(malformed_value()))
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

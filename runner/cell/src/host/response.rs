//! What `http::*` and `http` connectors answer.

use std::collections::BTreeMap;

use rhai::{Blob, Dynamic, Engine, Map};
use signalbox_core::Value;
use signalbox_core::codes::Code;
use signalbox_core::value::from_json_str;

use crate::protocol::malformed_value;
use crate::script::error::HostResult;
use crate::script::value::to_dynamic;

/// An answer from the network: any status is one.
#[derive(Debug, Clone)]
pub(crate) struct Response {
    status: i64,
    headers: BTreeMap<String, Value>,
    body: Vec<u8>,
}

impl Response {
    /// Reads an outcome `{ status, headers, body }`.
    pub(super) fn from_outcome(outcome: &Value) -> HostResult<Self> {
        let status = outcome.get("status").and_then(Value::as_int);
        let headers = outcome.get("headers").and_then(Value::as_map).cloned().unwrap_or_default();
        let body = match outcome.get("body") {
            Some(Value::Bytes(bytes)) => Some(bytes.clone()),
            Some(Value::String(text)) => Some(text.clone().into_bytes()),
            None | Some(Value::Null) => Some(Vec::new()),
            Some(_) => None,
        };
        match (status, body) {
            (Some(status), Some(body)) => Ok(Self { status, headers, body }),
            _ => Err(crate::context::throw(malformed_value())),
        }
    }

    /// The response as a map, its body as text when it is text.
    pub(crate) fn to_value(&self) -> Value {
        let body = match std::str::from_utf8(&self.body) {
            Ok(text) => Value::from(text),
            Err(_) => Value::Bytes(self.body.clone()),
        };
        let headers = Value::Map(self.headers.clone());
        Value::map([("status", Value::Int(self.status)), ("headers", headers), ("body", body)])
    }

    fn text(&self) -> HostResult<String> {
        match std::str::from_utf8(&self.body) {
            Ok(text) => Ok(text.to_owned()),
            Err(_) => super::fail(Code::BadValue, "the body of the response is not text"),
        }
    }

    fn json(&self) -> HostResult<Dynamic> {
        match from_json_str(&self.text()?) {
            Ok(value) => Ok(to_dynamic(value)),
            Err(error) => {
                let message =
                    format!("the body of the response (status {}) is {error}", self.status);
                super::fail(Code::BadValue, message)
            }
        }
    }

    fn header(&self, name: &str) -> Dynamic {
        let value = self.headers.get(&name.to_ascii_lowercase());
        value.cloned().map_or(Dynamic::UNIT, to_dynamic)
    }
}

pub(super) fn register(engine: &mut Engine) {
    engine.register_type_with_name::<Response>("response");
    engine.register_get("status", |response: &mut Response| response.status);
    engine.register_get("ok", |response: &mut Response| (200..300).contains(&response.status));
    engine.register_get("headers", |response: &mut Response| -> Map {
        let pairs = response.headers.iter();
        pairs.map(|(name, value)| (name.as_str().into(), to_dynamic(value.clone()))).collect()
    });
    engine.register_fn("header", |response: &mut Response, name: &str| response.header(name));
    engine.register_fn("text", |response: &mut Response| response.text());
    engine.register_fn("json", |response: &mut Response| response.json());
    engine.register_fn("bytes", |response: &mut Response| -> Blob { response.body.clone() });
    engine.register_fn("to_string", |response: &mut Response| {
        format!("response {} ({} bytes)", response.status, response.body.len())
    });
}

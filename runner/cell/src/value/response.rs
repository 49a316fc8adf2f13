//! An answer from the network.

use std::collections::BTreeMap;

use signalbox_core::Value;

/// An answer from the network: any status is one.
#[derive(Debug, Clone)]
pub(crate) struct Response {
    pub(crate) status: i64,
    pub(crate) headers: BTreeMap<String, Value>,
    pub(crate) body: Vec<u8>,
}

impl Response {
    /// Reads an outcome `{ status, headers, body }`.
    pub(crate) fn read(outcome: &Value) -> Option<Self> {
        let status = outcome.get("status")?.as_int()?;
        let headers = outcome.get("headers").and_then(Value::as_map).cloned().unwrap_or_default();
        let body = match outcome.get("body") {
            Some(Value::Bytes(bytes)) => bytes.clone(),
            Some(Value::String(text)) => text.clone().into_bytes(),
            None | Some(Value::Null) => Vec::new(),
            Some(_) => return None,
        };
        Some(Self { status, headers, body })
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
}

//! `json::*`: JSON, exact.

use rhai::{Dynamic, Engine, Module};
use signalbox_core::codes::Code;
use signalbox_core::value::{from_json_str, to_json};

use super::open_argument;
use crate::script::error::HostResult;
use crate::script::value::to_dynamic;

pub(super) fn register(engine: &mut Engine) {
    let mut module = Module::new();
    module.set_native_fn("parse", |text: &str| match from_json_str(text) {
        Ok(value) => Ok(to_dynamic(value)),
        Err(error) => super::fail(Code::BadValue, error.to_string()),
    });
    module.set_native_fn("encode", |value: Dynamic| -> HostResult<String> {
        Ok(open_argument(&value, "JSON")?.to_string())
    });
    module.set_native_fn("pretty", |value: Dynamic| -> HostResult<String> {
        Ok(format!("{:#}", to_json(&open_argument(&value, "JSON")?)))
    });
    engine.register_static_module("json", module.into());
}

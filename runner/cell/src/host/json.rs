//! `json::*`: JSON, exact.

use rhai::{Dynamic, Engine, Module, NativeCallContext};
use signalbox_core::codes::Code;
use signalbox_core::value::{from_json_str, to_json};

use super::{open_argument, placed};
use crate::context::work;
use crate::fault::HostResult;
use crate::value::to_dynamic;

pub(super) fn register(engine: &mut Engine) {
    let mut module = Module::new();
    module.set_native_fn("parse", |ctx: NativeCallContext, text: &str| {
        placed(&ctx, || {
            work(text.len())?;
            match from_json_str(text) {
                Ok(value) => Ok(to_dynamic(value)),
                Err(error) => super::fail(Code::BadValue, error.to_string()),
            }
        })
    });
    module.set_native_fn(
        "encode",
        |ctx: NativeCallContext, value: Dynamic| -> HostResult<String> {
            placed(&ctx, || written(open_argument(&value, "JSON")?.to_string()))
        },
    );
    module.set_native_fn(
        "pretty",
        |ctx: NativeCallContext, value: Dynamic| -> HostResult<String> {
            placed(&ctx, || written(format!("{:#}", to_json(&open_argument(&value, "JSON")?))))
        },
    );
    engine.register_static_module("json", module.into());
}

fn written(text: String) -> HostResult<String> {
    work(text.len())?;
    Ok(text)
}

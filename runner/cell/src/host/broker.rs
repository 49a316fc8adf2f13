//! `broker::*`: the only way into another workspace.

use std::collections::BTreeMap;

use rhai::{Dynamic, Engine, Map, Module, NativeCallContext};
use signalbox_core::Value;
use signalbox_core::value::encode;

use super::{open_map, open_text, placed};
use crate::effect::ask;
use crate::fault::HostResult;
use crate::protocol::Request;
use crate::value::{refuse_secrets, to_dynamic};

const INPUTS: &str = "the inputs of a call";

pub(super) fn register(engine: &mut Engine) {
    let mut module = Module::new();
    module.set_native_fn("request", |ctx: NativeCallContext, target: &str, inputs: Map| {
        placed(&ctx, || call(target, &open_map(inputs, INPUTS)?, true))
    });
    module.set_native_fn("request", |ctx: NativeCallContext, target: &str| {
        placed(&ctx, || call(target, &none(), true))
    });
    module.set_native_fn("start", |ctx: NativeCallContext, target: &str, inputs: Map| {
        placed(&ctx, || call(target, &open_map(inputs, INPUTS)?, false))
    });
    module.set_native_fn("start", |ctx: NativeCallContext, target: &str| {
        placed(&ctx, || call(target, &none(), false))
    });
    engine.register_static_module("broker", module.into());
}

fn none() -> Value {
    Value::Map(BTreeMap::new())
}

/// Calls, and waits for the result. Also for a plan's `call:`.
pub(crate) fn request(target: &str, inputs: &Value) -> HostResult<Value> {
    refuse_secrets(inputs, INPUTS).map_err(crate::context::throw)?;
    ask(Request::Call { target: target.to_owned(), inputs: encode(inputs), wait: true })
}

fn call(target: &str, inputs: &Value, wait: bool) -> HostResult<Dynamic> {
    open_text(target, "the name of a service")?;
    let request = Request::Call { target: target.to_owned(), inputs: encode(inputs), wait };
    ask(request).map(to_dynamic)
}

//! `state::*`: values that outlive a run, kept for the workspace.

use rhai::{Dynamic, Engine, Module, NativeCallContext};
use signalbox_core::Value;
use signalbox_core::value::encode;

use super::{argument, open_argument, open_text, placed};
use crate::effect::ask;
use crate::fault::HostResult;
use crate::protocol::Request;
use crate::value::to_dynamic;

const VALUE: &str = "a value of the state";

pub(super) fn register(engine: &mut Engine) {
    let mut module = Module::new();
    module.set_native_fn("get", |ctx: NativeCallContext, name: &str| {
        placed(&ctx, || Ok(to_dynamic(get(name)?)))
    });
    module.set_native_fn("get", |ctx: NativeCallContext, name: &str, default: Dynamic| {
        placed(&ctx, || {
            Ok(match get(name)? {
                Value::Null => default,
                value => to_dynamic(value),
            })
        })
    });
    module.set_native_fn("set", |ctx: NativeCallContext, name: &str, value: Dynamic| {
        placed(&ctx, || {
            let value = encode(&open_argument(&value, VALUE)?);
            perform(name, |name| Request::StateSet { name, value })
        })
    });
    module.set_native_fn("add", |ctx: NativeCallContext, name: &str, by: i64| {
        placed(&ctx, || perform(name, |name| Request::StateAdd { name, by }))
    });
    module.set_native_fn(
        "swap",
        |ctx: NativeCallContext, name: &str, expected: Dynamic, value: Dynamic| {
            placed(&ctx, || {
                let value = encode(&open_argument(&value, VALUE)?);
                let expected = match argument(&expected)? {
                    Value::Null => None,
                    expected => Some(encode(&expected)),
                };
                perform(name, |name| Request::StateSwap { name, expected, value })
            })
        },
    );
    module.set_native_fn("delete", |ctx: NativeCallContext, name: &str| {
        placed(&ctx, || perform(name, |name| Request::StateDelete { name }))
    });
    module.set_native_fn("list", |ctx: NativeCallContext, prefix: &str| {
        placed(&ctx, || list(prefix))
    });
    module.set_native_fn("list", |ctx: NativeCallContext| placed(&ctx, || list("")));
    engine.register_static_module("state", module.into());
}

fn get(name: &str) -> HostResult<Value> {
    open_text(name, "the name of a value")?;
    ask(Request::StateGet { name: name.to_owned() })
}

fn list(prefix: &str) -> HostResult<Dynamic> {
    perform(prefix, |prefix| Request::StateList { prefix })
}

fn perform(name: &str, request: impl FnOnce(String) -> Request) -> HostResult<Dynamic> {
    open_text(name, "the name of a value")?;
    ask(request(name.to_owned())).map(to_dynamic)
}

//! `state::*`: values that outlive a run, kept for the workspace.

use rhai::{Dynamic, Engine, Module};
use signalbox_core::value::encode;
use signalbox_core::Value;

use super::{argument, open_argument, open_text};
use crate::protocol::Request;
use crate::run::ask;
use crate::script::error::HostResult;
use crate::script::value::to_dynamic;

const VALUE: &str = "a value of the state";

pub(super) fn register(engine: &mut Engine) {
    let mut module = Module::new();
    module.set_native_fn("get", |name: &str| Ok(to_dynamic(get(name)?)));
    module.set_native_fn("get", |name: &str, default: Dynamic| {
        Ok(match get(name)? {
            Value::Null => default,
            value => to_dynamic(value),
        })
    });
    module.set_native_fn("set", |name: &str, value: Dynamic| {
        let value = encode(&open_argument(&value, VALUE)?);
        perform(name, |name| Request::StateSet { name, value })
    });
    module.set_native_fn("add", |name: &str, by: i64| perform(name, |name| Request::StateAdd { name, by }));
    module.set_native_fn("swap", |name: &str, expected: Dynamic, value: Dynamic| {
        let value = encode(&open_argument(&value, VALUE)?);
        let expected = match argument(&expected)? {
            Value::Null => None,
            expected => Some(encode(&expected)),
        };
        perform(name, |name| Request::StateSwap { name, expected, value })
    });
    module.set_native_fn("delete", |name: &str| perform(name, |name| Request::StateDelete { name }));
    module.set_native_fn("list", |prefix: &str| list(prefix));
    module.set_native_fn("list", || list(""));
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

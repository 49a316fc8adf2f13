//! `flow::*`: runs of other flows of the same workspace.

use rhai::{Dynamic, Engine, Map, Module, NativeCallContext};
use signalbox_core::Value;
use signalbox_core::codes::Code;
use signalbox_core::value::encode;

use super::{open_map, open_text, placed};
use crate::context;
use crate::effect::ask;
use crate::fault::HostResult;
use crate::protocol::Request;
use crate::value::{refuse_secrets, to_dynamic};

const INPUTS: &str = "the inputs of a flow";

pub(super) fn register(engine: &mut Engine) {
    let mut module = Module::new();
    for (name, wait) in [("run", true), ("start", false)] {
        module.set_native_fn(name, move |ctx: NativeCallContext, flow: &str, inputs: Map| {
            placed(&ctx, || begin(flow, &open_map(inputs, INPUTS)?, wait))
        });
        module.set_native_fn(name, move |ctx: NativeCallContext, flow: &str| {
            placed(&ctx, || begin(flow, &Value::map::<&str, 0>([]), wait))
        });
    }
    module.set_native_fn("wait", |ctx: NativeCallContext, run: &str| {
        placed(&ctx, || match run.parse() {
            Ok(run) => ask(Request::FlowWait { run }).map(to_dynamic),
            Err(error) => super::fail(Code::BadValue, error.to_string()),
        })
    });
    engine.register_static_module("flow", module.into());
}

/// Runs a flow and waits for its result. Also for a step's `flow:`.
pub(crate) fn run_flow(flow: &str, inputs: &Value) -> HostResult<Value> {
    refuse_secrets(inputs, INPUTS).map_err(context::throw)?;
    ask(Request::Flow { flow: flow.to_owned(), inputs: encode(inputs), wait: true })
}

fn begin(flow: &str, inputs: &Value, wait: bool) -> HostResult<Dynamic> {
    open_text(flow, "the name of a flow")?;
    ask(Request::Flow { flow: flow.to_owned(), inputs: encode(inputs), wait }).map(to_dynamic)
}

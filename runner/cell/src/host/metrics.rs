//! `metrics::*`: how runs ended lately.

use rhai::{Dynamic, Engine, Module, NativeCallContext};

use super::{open_text, placed};
use crate::effect::ask;
use crate::fault::HostResult;
use crate::protocol::Request;
use crate::value::to_dynamic;

pub(super) fn register(engine: &mut Engine) {
    let mut module = Module::new();
    module.set_native_fn("workspace", |ctx: NativeCallContext| {
        placed(&ctx, || perform(Request::WorkspaceMetrics { workspace: None }))
    });
    module.set_native_fn("workspace", |ctx: NativeCallContext, name: &str| {
        placed(&ctx, || {
            open_text(name, "the name of a workspace")?;
            perform(Request::WorkspaceMetrics { workspace: Some(name.to_owned()) })
        })
    });
    module.set_native_fn("flow", |ctx: NativeCallContext, name: &str| {
        placed(&ctx, || {
            open_text(name, "the name of a flow")?;
            perform(Request::FlowMetrics { flow: name.to_owned() })
        })
    });
    engine.register_static_module("metrics", module.into());
}

fn perform(request: Request) -> HostResult<Dynamic> {
    ask(request).map(to_dynamic)
}

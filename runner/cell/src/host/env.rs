//! `env`: the workspace's own environment.

use rhai::{Dynamic, Engine};
use signalbox_core::codes::Code;

use crate::context;
use crate::fault::HostResult;

pub(super) fn register(engine: &mut Engine) {
    engine.register_fn("env", |name: &str| match find(name)? {
        Some(text) => Ok::<Dynamic, _>(text.into()),
        None => super::fail(Code::UndeclaredName, format!("the workspace's `env` has no `{name}`")),
    });
    engine.register_fn("env", |name: &str, default: Dynamic| -> HostResult<Dynamic> {
        Ok(find(name)?.map_or(default, Into::into))
    });
}

fn find(name: &str) -> HostResult<Option<String>> {
    context::with_run(|run| run.setting.env.get(name).cloned())
}

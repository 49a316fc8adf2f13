//! `log::*`: lines of the run's log.

use rhai::{Dynamic, Engine, Module, NativeCallContext};
use signalbox_core::journal::Level;

use crate::effect::log;
use crate::fault::HostResult;

pub(super) fn register(engine: &mut Engine) {
    let mut module = Module::new();
    let levels = [
        ("trace", Level::Trace),
        ("info", Level::Info),
        ("warn", Level::Warn),
        ("error", Level::Error),
    ];
    for (name, level) in levels {
        module.set_native_fn(
            name,
            move |ctx: NativeCallContext, value: Dynamic| -> HostResult<()> {
                log(level, &shown(&ctx, value))
            },
        );
    }
    engine.register_static_module("log", module.into());
}

/// A value as an interpolated string shows it.
fn shown(ctx: &NativeCallContext, mut value: Dynamic) -> String {
    if value.is_string() {
        return value.to_string();
    }
    let text = ctx.call_native_fn_raw(rhai::FUNC_TO_STRING, true, &mut [&mut value]);
    text.map_or_else(|_| value.to_string(), |text| text.to_string())
}

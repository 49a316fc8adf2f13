//! `now`: the present.

use rhai::{Dynamic, Engine};
use signalbox_core::Value;

use crate::effect::cheap;
use crate::fault::HostResult;
use crate::value::to_dynamic;

pub(super) fn register(engine: &mut Engine) {
    engine.register_fn("now", || -> HostResult<Dynamic> {
        cheap("now", &[], |_| Value::String(crate::clock::now().to_string())).map(to_dynamic)
    });
}

//! `uuid`: a name that nothing else has.

use rhai::{Dynamic, Engine};
use signalbox_core::Value;

use crate::effect::cheap;
use crate::fault::HostResult;
use crate::value::to_dynamic;

pub(super) fn register(engine: &mut Engine) {
    engine.register_fn("uuid", || -> HostResult<Dynamic> {
        cheap("uuid", &[], |run| Value::String(run.random.uuid().to_string())).map(to_dynamic)
    });
}

//! `random`: numbers that nobody expects, but every replay repeats.

use rhai::{Dynamic, Engine};
use signalbox_core::Value;
use signalbox_core::codes::Code;

use crate::effect::cheap;
use crate::fault::HostResult;
use crate::value::to_dynamic;

pub(super) fn register(engine: &mut Engine) {
    engine.register_fn("random", || -> HostResult<Dynamic> {
        cheap("random", &[], |run| Value::Float(run.random.unit())).map(to_dynamic)
    });
    engine.register_fn("random", |low: i64, high: i64| -> HostResult<Dynamic> {
        if low > high {
            return super::fail(Code::BadValue, format!("there is no number from {low} to {high}"));
        }
        let request = [low.to_le_bytes(), high.to_le_bytes()].concat();
        cheap("random", &request, |run| Value::Int(run.random.between(low, high))).map(to_dynamic)
    });
}

//! `continue_as`: the run ends, and a successor with other inputs takes over.

use rhai::{Dynamic, Engine, Map};
use signalbox_core::codes::Code;
use signalbox_core::value::encode;

use super::open_map;
use crate::context;
use crate::fault::{HostResult, terminated};
use crate::run::{MAX_RESULT, Stop};

pub(super) fn register(engine: &mut Engine) {
    engine.register_fn("continue_as", continue_as);
}

fn continue_as(inputs: Map) -> HostResult<Dynamic> {
    let inputs = encode(&open_map(inputs, "the inputs of a successor")?);
    if inputs.len() > MAX_RESULT {
        let message =
            format!("inputs of {} bytes are over the bound of {MAX_RESULT}", inputs.len());
        return super::fail(Code::LimitExceeded, message);
    }
    // What is beside it would be left in the middle.
    let allowed = context::with_run(|run| {
        let allowed = !run.has_branches();
        if allowed {
            run.set_stop(Stop::Continue(inputs));
        }
        allowed
    })?;
    if allowed {
        return Err(terminated().into());
    }
    super::fail(Code::Conflict, "`continue_as` inside of something that runs side by side")
}

//! `step`: a named part whose result is kept.

use rhai::{Dynamic, Engine, FnPtr, NativeCallContext};
use signalbox_core::codes::Code;

use crate::context;
use crate::fault::{Described, HostResult, describe, terminated};
use crate::run::{Begin, Run};
use crate::value::{refuse_secrets, to_dynamic, to_value};

const MAX_NAME: usize = 100;

pub(super) fn register(engine: &mut Engine) {
    engine.register_fn("step", step);
}

#[expect(clippy::needless_pass_by_value, reason = "the form of a native function")]
fn step(ctx: NativeCallContext, name: &str, body: FnPtr) -> HostResult<Dynamic> {
    if name.is_empty() || name.len() > MAX_NAME {
        return super::fail(Code::InvalidName, format!("a step's name has 1 to {MAX_NAME} bytes"));
    }
    super::open_text(name, "the name of a step")?;
    match context::effect(|state| state.run()?.begin_step(name))? {
        Begin::Kept(value) => return Ok(to_dynamic(value)),
        Begin::Failed(failure) => return Err(context::throw(failure)),
        Begin::Execute => {}
    }
    let result = body.call_within_context::<Dynamic>(&ctx, ());
    if context::is_stopped() {
        context::with(|state| state.run().map(Run::leave_step));
        return Err(terminated().into());
    }
    match result {
        Ok(value) => keep(&value),
        Err(error) => {
            let described = describe(&error, ctx.fn_source().unwrap_or(""));
            if described.limit {
                // Not to be caught, so it is not recorded as something that could be.
                context::with(|state| state.run().map(Run::leave_step));
                return Err(error);
            }
            lose(described)
        }
    }
}

/// Ends the step well, if its result can be kept.
fn keep(value: &Dynamic) -> HostResult<Dynamic> {
    let ended = to_value(value).and_then(|value| {
        refuse_secrets(&value, "the result of a step")?;
        Ok(value)
    });
    let kept = match ended {
        Ok(value) => context::with_run(|run| run.end_step(&value))?.map(|()| value),
        Err(failure) => Err(failure),
    };
    match kept {
        Ok(value) => Ok(to_dynamic(value)),
        Err(failure) => {
            context::with_run(|run| run.fail_step(failure.clone(), None))?;
            Err(context::throw(failure))
        }
    }
}

/// Ends the step with an error that the script may catch.
fn lose(described: Described) -> HostResult<Dynamic> {
    let Described { text, place, .. } = described;
    let failure = context::with_run(|run| {
        let failure = run.failure_of(&text);
        run.fail_step(failure.clone(), place);
        failure
    })?;
    Err(context::throw(failure))
}

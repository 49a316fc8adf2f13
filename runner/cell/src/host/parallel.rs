//! `parallel`: closures side by side.

use rhai::{Array, Dynamic, Engine, FnPtr, NativeCallContext};
use signalbox_core::catalog::MAX_PARALLEL;
use signalbox_core::codes::Code;

use crate::branch::{Work, side_by_side};
use crate::context;
use crate::fault::{HostResult, describe, terminated};
use crate::run::{Aftermath, Run, Scope, Spot};
use crate::value::Copier;

/// Most branches of one call: as many as a run may have effects.
const MAX_BRANCHES: usize = 10_000;

pub(super) fn register(engine: &mut Engine) {
    engine.register_fn("parallel", parallel);
}

#[expect(clippy::needless_pass_by_value, reason = "the form of a native function")]
fn parallel(ctx: NativeCallContext, closures: Array) -> HostResult<Array> {
    let closures = closures.into_iter().map(Dynamic::try_cast_result::<FnPtr>);
    let Ok(closures) = closures.collect::<Result<Vec<_>, _>>() else {
        return super::fail(Code::BadValue, "`parallel` takes a list of closures");
    };
    if closures.len() > MAX_BRANCHES {
        let message = format!("`parallel` takes at most {MAX_BRANCHES} closures");
        return super::fail(Code::LimitExceeded, message);
    }
    let spot = context::effect(|state| state.run()?.parallel_spot())?;
    let count = closures.len();
    let mut results = Vec::new();
    results.resize_with(count, || None);
    let mut branches = Closures { ctx: &ctx, each: closures, spot, results };
    side_by_side(&mut branches, count, MAX_PARALLEL as usize).ok_or_else(terminated)?;
    branches.result()
}

struct Closures<'a, 'c> {
    ctx: &'a NativeCallContext<'c>,
    each: Vec<FnPtr>,
    spot: Spot,
    results: Vec<Option<(HostResult<Dynamic>, Aftermath)>>,
}

impl Work for Closures<'_, '_> {
    type Result = HostResult<Dynamic>;

    fn may_begin(&self, _: usize) -> bool {
        true
    }

    fn scope(&self, index: usize) -> Scope {
        self.spot.item(index).branch()
    }

    fn evaluate(&mut self, index: usize) -> HostResult<Dynamic> {
        let copy = Copier::default().closure(&self.each[index]).map_err(context::throw)?;
        copy.call_within_context::<Dynamic>(self.ctx, ()).map(Dynamic::flatten)
    }

    fn take(&mut self, index: usize, result: HostResult<Dynamic>, aftermath: Aftermath) {
        self.results[index] = Some((result, aftermath));
    }
}

impl Closures<'_, '_> {
    /// The results in order, or the first error: one that nothing can catch goes before the others.
    fn result(self) -> HostResult<Array> {
        let source = self.ctx.fn_source().unwrap_or("").to_owned();
        let mut values = Array::with_capacity(self.results.len());
        let mut thrown = None;
        for (result, aftermath) in self.results.into_iter().flatten() {
            match result {
                Ok(value) => values.push(value),
                Err(error) if describe(&error, &source).limit => return Err(error),
                Err(error) if thrown.is_none() => thrown = Some((error, aftermath)),
                Err(_) => {}
            }
        }
        let Some((error, aftermath)) = thrown else { return Ok(values) };
        context::with_run(|run: &mut Run| run.restore(aftermath))?;
        Err(error)
    }
}

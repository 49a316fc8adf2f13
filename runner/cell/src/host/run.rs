//! `run::*`: what a run knows of itself.

use rhai::{Dynamic, Engine, Module, NativeCallContext};
use signalbox_core::clock::Timestamp;

use super::placed;
use crate::context;
use crate::fault::HostResult;
use crate::protocol::About;

/// Reads one fact.
type Fact = fn(&About) -> Dynamic;

pub(super) fn register(engine: &mut Engine) {
    let mut module = Module::new();
    let facts: [(&str, Fact); 8] = [
        ("id", |about| about.id.as_str().into()),
        ("flow", |about| about.flow.as_str().into()),
        ("workspace", |about| about.workspace.as_str().into()),
        ("revision", |about| about.revision.as_str().into()),
        ("attempt", |about| i64::from(about.attempt).into()),
        ("trigger", |about| about.trigger.as_str().into()),
        ("slot", |about| {
            about.slot.map_or(Dynamic::UNIT, |slot| Timestamp(slot).to_string().into())
        }),
        ("caller", |about| about.caller.clone().map_or(Dynamic::UNIT, Into::into)),
    ];
    for (name, fact) in facts {
        module.set_native_fn(name, move |ctx: NativeCallContext| -> HostResult<Dynamic> {
            placed(&ctx, || context::with_run(|run| fact(&run.start.about)))
        });
    }
    engine.register_static_module("run", module.into());
}

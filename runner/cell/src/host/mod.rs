//! Host functions: all that a script can do beyond the language. Each family has a file of its own;
//! `signalbox_core::host` documents every one of them, and a test holds the two together.

mod broker;
mod connector;
mod env;
mod hash;
mod http;
mod json;
mod log;
mod now;
mod random;
mod response;
mod run;
mod secret;
mod state;
mod step;
mod text;
mod time;
mod uuid;

use rhai::{Dynamic, Engine, Map, NativeCallContext};
use signalbox_core::Value;
use signalbox_core::codes::Code;
use signalbox_core::journal::Failure;

pub(crate) use broker::request;
pub(crate) use response::Response;
pub(crate) use secret::Secret;
#[cfg(test)]
pub(crate) use secret::proof;

/// The type of connectors' handles.
#[cfg(test)]
pub(crate) fn connector_type() -> std::any::TypeId {
    std::any::TypeId::of::<connector::Connector>()
}

use crate::context;
use crate::script::error::HostResult;
use crate::script::value::{refuse_secrets, to_value};

/// Adds every host function to an engine.
pub(crate) fn register(engine: &mut Engine) {
    broker::register(engine);
    connector::register(engine);
    env::register(engine);
    hash::register(engine);
    http::register(engine);
    json::register(engine);
    log::register(engine);
    now::register(engine);
    random::register(engine);
    response::register(engine);
    run::register(engine);
    secret::register(engine);
    state::register(engine);
    step::register(engine);
    text::register(engine);
    time::register(engine);
    uuid::register(engine);
}

/// Fails with something that a script can catch.
fn fail<T>(code: Code, message: impl Into<String>) -> HostResult<T> {
    Err(context::throw(Failure::permanent(code, message)))
}

/// Gives an error the place of the call: Rhai does so itself, but not for functions of modules.
fn placed<T>(ctx: &NativeCallContext, act: impl FnOnce() -> HostResult<T>) -> HostResult<T> {
    act().map_err(|mut error| {
        if error.position().is_none() {
            error.set_position(ctx.call_position());
        }
        error
    })
}

/// The value of an argument.
fn argument(value: &Dynamic) -> HostResult<Value> {
    to_value(value).map_err(context::throw)
}

/// The value of an argument that will be stored, shown or sent: no secret may be in it.
fn open_argument(value: &Dynamic, place: &str) -> HostResult<Value> {
    let value = argument(value)?;
    refuse_secrets(&value, place).map_err(context::throw)?;
    Ok(value)
}

/// The value of a map that will be stored, shown or sent.
fn open_map(map: Map, place: &str) -> HostResult<Value> {
    open_argument(&Dynamic::from_map(map), place)
}

/// Text that will be stored, shown or sent.
fn open_text(text: &str, place: &str) -> HostResult<()> {
    if signalbox_core::secret::has_marker(text) {
        return Err(context::throw(crate::script::value::misused(place)));
    }
    Ok(())
}

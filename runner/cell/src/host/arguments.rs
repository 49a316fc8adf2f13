//! What host functions do with what they are given, and how they fail.

use rhai::{Dynamic, Map, NativeCallContext};
use signalbox_core::Value;
use signalbox_core::codes::Code;
use signalbox_core::journal::Failure;

use crate::context;
use crate::fault::HostResult;
use crate::value::{misused, refuse_secrets, to_value};

/// Fails with something that a script can catch.
pub(super) fn fail<T>(code: Code, message: impl Into<String>) -> HostResult<T> {
    Err(context::throw(Failure::permanent(code, message)))
}

/// Gives an error the place of the call: Rhai does so itself, but not for functions of modules.
pub(super) fn placed<T>(
    ctx: &NativeCallContext,
    act: impl FnOnce() -> HostResult<T>,
) -> HostResult<T> {
    act().map_err(|mut error| {
        if error.position().is_none() {
            error.set_position(ctx.call_position());
        }
        error
    })
}

/// The value of an argument.
pub(super) fn argument(value: &Dynamic) -> HostResult<Value> {
    to_value(value).map_err(context::throw)
}

/// The value of an argument that will be stored, shown or sent: no secret may be in it.
pub(super) fn open_argument(value: &Dynamic, place: &str) -> HostResult<Value> {
    let value = argument(value)?;
    refuse_secrets(&value, place).map_err(context::throw)?;
    Ok(value)
}

/// The value of a map that will be stored, shown or sent.
pub(super) fn open_map(map: Map, place: &str) -> HostResult<Value> {
    open_argument(&Dynamic::from_map(map), place)
}

/// Text that will be stored, shown or sent.
pub(super) fn open_text(text: &str, place: &str) -> HostResult<()> {
    if signalbox_core::secret::has_marker(text) {
        return Err(context::throw(misused(place)));
    }
    Ok(())
}

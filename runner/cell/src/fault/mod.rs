//! Errors at the border of Rhai: what a script is told, and what its errors say.

mod describe;

use rhai::{Dynamic, EvalAltResult, Position};
use signalbox_core::journal::Failure;

pub(crate) use describe::{Described, Place, describe, inline_source};

/// What a host function gives to Rhai.
pub(crate) type HostResult<T> = Result<T, Box<EvalAltResult>>;

/// The position that errors of host functions have until Rhai fills it in.
pub(crate) const NOWHERE: Position = Position::NONE;

/// The error that no script can catch.
pub(crate) fn terminated() -> EvalAltResult {
    EvalAltResult::ErrorTerminated(Dynamic::UNIT, NOWHERE)
}

/// The error by which a script hears of a failure: `CODE: text`, for `catch`.
pub(crate) fn thrown(failure: &Failure) -> EvalAltResult {
    let text = format!("{}: {}", failure.code, failure.message);
    EvalAltResult::ErrorRuntime(text.into(), NOWHERE)
}

//! How a run ends.

use signalbox_core::codes::Code;
use signalbox_core::run::{Reason, RunError};

use crate::fault::{Described, Place};
use crate::plan::Broken;
use crate::protocol::End;
use crate::run::{Run, Stop};

/// How a run ends. The flag goes before whatever the script made of it. `None`: it was unwound.
pub(crate) fn end_of(result: Result<Vec<u8>, Broken>, run: &Run) -> Option<End> {
    match (run.stop(), result) {
        (Some(Stop::Unwind), _) => None,
        (Some(Stop::Incompatible(message)), _) => Some(End::Incompatible(message.clone())),
        (Some(Stop::Limit(message)), result) => {
            let error = RunError::plain(Code::LimitExceeded, message.clone());
            Some(End::Error(Reason::LimitExceeded, at(noticed_at(result), error)))
        }
        (Some(Stop::Forbidden(message)), result) => {
            let error = RunError::plain(Code::ScriptError, message.clone());
            Some(End::Error(Reason::ScriptError, at(noticed_at(result), error)))
        }
        (None, Ok(bytes)) => Some(End::Result(bytes)),
        (None, Err(Broken::Error(described))) => {
            let (reason, error) = ending(described, run);
            Some(End::Error(reason, error))
        }
        // Nothing terminates a run but its flag.
        (None, Err(Broken::Stopped(_))) => {
            let error = RunError::plain(Code::Internal, "a run stopped without a reason");
            Some(End::Error(Reason::ScriptError, error))
        }
    }
}

/// Where it was noticed that the run must stop.
fn noticed_at(result: Result<Vec<u8>, Broken>) -> Option<Place> {
    match result {
        Ok(_) => None,
        Err(Broken::Stopped(place)) => place,
        Err(Broken::Error(described)) => described.place,
    }
}

/// How a run ends with an error that nothing caught.
fn ending(described: Described, run: &Run) -> (Reason, RunError) {
    let Described { text, place, limit } = described;
    let place = run.place_of(&text).or(place);
    let (reason, error) = match run.thrown(&text) {
        _ if limit => (Reason::LimitExceeded, RunError::plain(Code::LimitExceeded, text)),
        Some(failure) => {
            (reason_of(failure.code), RunError::plain(failure.code, failure.message.clone()))
        }
        None => (Reason::ScriptError, RunError::plain(Code::ScriptError, text)),
    };
    (reason, at(place, error))
}

/// The error with its place, if that is known.
fn at(place: Option<Place>, mut error: RunError) -> RunError {
    if let Some(place) = place {
        error.file = Some(place.file);
        error.line = Some(place.line);
        error.column = Some(place.column);
    }
    error
}

/// The reason that goes with a failure's code when nothing caught it.
fn reason_of(code: Code) -> Reason {
    match code {
        Code::LimitExceeded => Reason::LimitExceeded,
        // The broker refuses a target that is no name with the code of names.
        Code::Denied | Code::InvalidName => Reason::Denied,
        // The callee was allowed; what became of it is no refusal.
        Code::CallFailed | Code::CallTimedOut => Reason::ScriptError,
        code if code.as_str().starts_with("SB03") => Reason::Denied,
        _ => Reason::ScriptError,
    }
}

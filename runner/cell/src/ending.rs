//! How a run ends.

use signalbox_core::codes::Code;
use signalbox_core::journal::Failure;
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
            Some(permanent(Reason::LimitExceeded, Code::LimitExceeded, message, noticed_at(result)))
        }
        (Some(Stop::Forbidden(message)), result) => {
            Some(permanent(Reason::ScriptError, Code::ScriptError, message, noticed_at(result)))
        }
        (Some(Stop::Continue(inputs)), _) => Some(End::ContinueAs(inputs.clone())),
        (None, Ok(bytes)) => Some(End::Result(bytes)),
        (None, Err(Broken::Error(described))) => Some(ending(described, run)),
        // Nothing terminates a run but its flag.
        (None, Err(Broken::Stopped(_))) => {
            let message = "a run stopped without a reason";
            Some(permanent(Reason::ScriptError, Code::Internal, message, None))
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

/// An end that trying again does not mend.
fn permanent(reason: Reason, code: Code, message: &str, place: Option<Place>) -> End {
    let error = RunError::plain(code, message);
    End::Error(reason, at(place, error), Failure::permanent(code, message))
}

/// How a run ends with an error that nothing caught.
fn ending(described: Described, run: &Run) -> End {
    let Described { text, place, limit } = described;
    let place = run.place_of(&text).or(place);
    if limit {
        return permanent(Reason::LimitExceeded, Code::LimitExceeded, &text, place);
    }
    let failure = run.final_failure_of(&text);
    let error = RunError::plain(failure.code, failure.message.clone());
    End::Error(reason_of(failure.code), at(place, error), failure)
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
        Code::StepTimedOut => Reason::TimedOut,
        // The broker refuses a target that is no name with the code of names.
        Code::Denied | Code::InvalidName => Reason::Denied,
        // The callee was allowed; what became of it is no refusal.
        Code::CallFailed | Code::CallTimedOut => Reason::ScriptError,
        code if code.as_str().starts_with("SB03") => Reason::Denied,
        _ => Reason::ScriptError,
    }
}

//! Errors at the border of Rhai: what a script is told, and what its end says.

use rhai::{Dynamic, EvalAltResult, Position};
use signalbox_core::codes::Code;
use signalbox_core::journal::Failure;
use signalbox_core::run::{Reason, RunError};
use signalbox_core::secret::hide_markers;

use crate::context::NOWHERE;
use crate::run::{Run, over_the_bound};
use crate::script::value::to_value;

/// What a host function gives to Rhai.
pub(crate) type HostResult<T> = Result<T, Box<EvalAltResult>>;

/// The error that no script can catch.
pub(crate) fn terminated() -> Box<EvalAltResult> {
    EvalAltResult::ErrorTerminated(Dynamic::UNIT, NOWHERE).into()
}

/// The error by which a script hears of a failure: `CODE: text`, for `catch`.
pub(crate) fn thrown(failure: &Failure) -> Box<EvalAltResult> {
    let text = format!("{}: {}", failure.code, failure.message);
    EvalAltResult::ErrorRuntime(text.into(), NOWHERE).into()
}

/// Where an error happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) file: String,
    pub(crate) line: u32,
    pub(crate) column: u32,
}

/// What an AST's source is called whose code stands inside of a flow's file, from this line on.
pub(crate) fn inline_source(file: &str, line: u32) -> String {
    format!("{file}#{line}")
}

/// An error, as deep as it can be followed.
pub(crate) struct Described {
    pub(crate) text: String,
    pub(crate) place: Option<Place>,
    /// Whether a bound was reached, which no script can catch.
    pub(crate) limit: bool,
}

/// Follows an error of code that is called `source` to where it happened.
pub(crate) fn describe(error: &EvalAltResult, source: &str) -> Described {
    let mut file = source;
    let mut position = error.position();
    let mut inner = error;
    loop {
        match inner {
            EvalAltResult::ErrorInFunctionCall(_, of, cause, _) => {
                if !of.is_empty() {
                    file = of;
                }
                inner = cause;
            }
            EvalAltResult::ErrorInModule(_, cause, _) => inner = cause,
            _ => break,
        }
        if !inner.position().is_none() {
            position = inner.position();
        }
    }
    Described { text: text_of(inner), place: place_in(file, position), limit: is_limit(inner) }
}

fn text_of(error: &EvalAltResult) -> String {
    let text = match error {
        EvalAltResult::ErrorRuntime(value, _) if value.is_string() => value.to_string(),
        EvalAltResult::ErrorRuntime(value, _) => match to_value(value) {
            Ok(value) => value.to_string(),
            Err(_) => format!("a {} was thrown", value.type_name()),
        },
        EvalAltResult::ErrorParsing(kind, _) => kind.to_string(),
        other => {
            let whole = other.to_string();
            // Rhai appends the position, which is told apart from the text here.
            match whole.rsplit_once(" (line ") {
                Some((text, tail)) if tail.ends_with(')') => text.to_owned(),
                _ => whole,
            }
        }
    };
    signalbox_core::journal::cut(hide_markers(&text), 4000)
}

fn is_limit(error: &EvalAltResult) -> bool {
    matches!(
        error,
        EvalAltResult::ErrorTooManyOperations(_)
            | EvalAltResult::ErrorTooManyVariables(_)
            | EvalAltResult::ErrorTooManyModules(_)
            | EvalAltResult::ErrorStackOverflow(_)
            | EvalAltResult::ErrorDataTooLarge(..)
    )
}

fn place_in(source: &str, position: Position) -> Option<Place> {
    let (file, first) = match source.rsplit_once('#') {
        Some((file, line)) => (file, line.parse().unwrap_or(1)),
        None => (source, 1),
    };
    if file.is_empty() {
        return None;
    }
    let line = position.line().map_or(first, |line| first + line as u32 - 1);
    let column = position.position().map_or(1, |column| column as u32);
    Some(Place { file: file.to_owned(), line, column })
}

/// How a run ends with an error.
pub(crate) fn ending(described: Described, run: &Run) -> (Reason, RunError) {
    let Described { text, place, limit } = described;
    let place = run.place_of(&text).or(place);
    let (reason, mut error) = match run.thrown(&text) {
        _ if limit => (Reason::LimitExceeded, over_the_bound(text)),
        Some(failure) => {
            (reason_of(failure.code), RunError::plain(failure.code, failure.message.clone()))
        }
        None => (Reason::ScriptError, RunError::plain(Code::ScriptError, text)),
    };
    if let Some(place) = place {
        error.file = Some(place.file);
        error.line = Some(place.line);
        error.column = Some(place.column);
    }
    (reason, error)
}

/// The reason that goes with a failure's code when nothing caught it.
pub(crate) fn reason_of(code: Code) -> Reason {
    match code {
        Code::LimitExceeded => Reason::LimitExceeded,
        Code::Denied => Reason::Denied,
        // The callee was allowed; what became of it is no refusal.
        Code::CallFailed | Code::CallTimedOut => Reason::ScriptError,
        code if code.as_str().starts_with("SB03") => Reason::Denied,
        _ => Reason::ScriptError,
    }
}

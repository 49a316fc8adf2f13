//! Follows errors to what happened and where.

use rhai::{EvalAltResult, Position};
use signalbox_core::bounds::{self, Figure};
use signalbox_core::secret::hide_markers;

use crate::value::to_value;

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
        EvalAltResult::ErrorStackOverflow(_) => {
            format!("calls within calls are at most {} deep; use a loop", bounds::CALLS)
        }
        EvalAltResult::ErrorDataTooLarge(what, _) => {
            format!("{what} is over the bound of {}; work on it in pieces", most(what))
        }
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

/// The bound of what Rhai calls so.
fn most(what: &str) -> Figure {
    match what {
        what if what.contains("string") => Figure::Bytes(bounds::TEXT as u64),
        what if what.contains("map") => Figure::Count(bounds::MAP as u64),
        _ => Figure::Count(bounds::ARRAY as u64),
    }
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
        Some((file, line)) => (file, line.parse().unwrap_or(1_u32)),
        None => (source, 1_u32),
    };
    if file.is_empty() {
        return None;
    }
    let line = position.line().map_or(first, |line| first.saturating_add(number(line) - 1));
    let column = position.position().map_or(1, number);
    Some(Place { file: file.to_owned(), line, column })
}

/// Rhai counts lines and columns in 16 bits.
fn number(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

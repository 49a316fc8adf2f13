//! Rhai: the engine and its limits, imports, values and errors at its border.

mod array;
mod engine;
pub(crate) mod error;
pub(crate) mod library;
pub(crate) mod value;

pub(crate) use engine::{MAX_LINES, compile, compile_expression, engine};

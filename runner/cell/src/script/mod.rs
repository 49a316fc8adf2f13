//! Rhai: the engine and its limits, imports, and functions of arrays.

mod array;
mod engine;
pub(crate) mod library;

pub(crate) use engine::{compile, compile_expression, engine, too_large};

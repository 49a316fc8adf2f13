//! Whether the run of a schedule's slot is wanted at all.

use rhai::{Engine, Scope};
use signalbox_core::Value;
use signalbox_core::clock::Timestamp;
use signalbox_core::schedule::Dynamic;

use super::flow::{Broken, leave, wrong};
use super::program::Code;
use crate::fault::inline_source;
use crate::script::compile_expression;
use crate::value::to_dynamic;

/// Names that the expression sees.
const VARIABLES: [&str; 2] = ["slot", "inputs"];

/// Evaluates `dynamic` of a schedule in the run that has begun: its effects are the run's.
///
/// # Errors
/// An error of the expression, or that the run must stop.
pub(crate) fn is_wanted(
    engine: &Engine,
    dynamic: &Dynamic,
    file: &str,
    slot: Option<i64>,
    inputs: Value,
) -> Result<bool, Broken> {
    let source = inline_source(file, dynamic.line);
    let ast = compile_expression(engine, &source, &dynamic.code, &VARIABLES)
        .map_err(|error| Broken::of(&error, &source))?;
    let code = Code { ast, source, sees_steps: false };
    let mut scope = Scope::new();
    let slot = slot.map_or(Value::Null, |slot| Value::String(Timestamp(slot).to_string()));
    scope.push_constant_dynamic("slot", to_dynamic(slot));
    scope.push_constant_dynamic("inputs", to_dynamic(inputs));
    match leave(engine.eval_ast_with_scope(&mut scope, &code.ast), &code)? {
        Value::Bool(wanted) => Ok(wanted),
        other => {
            let kind = other.kind();
            Err(wrong(&code, format!("`dynamic` must be true or false, not of type {kind}")))
        }
    }
}

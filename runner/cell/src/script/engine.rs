//! The one engine of a cell: raw, with every limit set.
//!
//! Its limits are the polite first line only; the process is the wall (reference §1.2). Packages
//! are added by hand. Left out are the core language package (`sleep`, `exit`, reflection, a lax
//! JSON reader) and time (`timestamp` is an effect that nobody would journal).

use std::sync::Once;

use rhai::packages::{
    ArithmeticPackage, BasicArrayPackage, BasicBlobPackage, BasicFnPackage, BasicIteratorPackage,
    BasicMapPackage, BasicMathPackage, BasicStringPackage, BitFieldPackage, LogicPackage,
    MoreStringPackage, Package,
};
use rhai::{
    AST, Engine, EvalAltResult, OptimizationLevel, ParseError, ParseErrorType, Position, Scope,
};
use signalbox_core::bounds;
use signalbox_core::journal::Level;
use signalbox_core::source::MAX_SCRIPT;

use super::library::Libraries;

/// Most lines of a script: Rhai counts them in 16 bits.
const MAX_LINES: usize = 20_000;
/// Most characters in a line of a script, for the same reason.
const MAX_COLUMNS: usize = 60_000;
/// Most arms of all `switch` of a script: Rhai compares each with all before it.
const MAX_ARMS: usize = 2_000;
/// Calls within calls, and expressions within expressions outside and inside of functions.
pub(crate) const MAX_CALLS: usize = bounds::CALLS;
const MAX_DEPTH: (usize, usize) = (64, 32);
/// DESIGN §6.7.
const MAX_STRING: usize = bounds::TEXT;
const MAX_ARRAY: usize = bounds::ARRAY;
const MAX_MAP: usize = bounds::MAP;
/// Far more than any script needs, far less than what hurts.
const MAX_VARIABLES: usize = 10_000;
const MAX_FUNCTIONS: usize = 10_000;
const MAX_MODULES: usize = 1_000;

/// Any constant will do: the names of closures are hashes, and must be the same in every process.
const HASHING_SEED: [u64; 4] = [0x5349_474e, 0x414c_424f, 0x585f_4345, 0x4c4c_0001];

/// A new engine with every host function.
pub(crate) fn engine() -> Engine {
    static SEED: Once = Once::new();
    // Fails only when a seed is set already, which is this one.
    SEED.call_once(|| {
        rhai::config::hashing::set_hashing_seed(Some(HASHING_SEED)).unwrap_or_default();
    });
    let mut engine = Engine::new_raw();
    add_packages(&mut engine);
    set_limits(&mut engine);
    engine.set_module_resolver(Libraries);
    engine.on_progress(|_| crate::context::on_operation());
    // Whatever keeps a line from being written also stops the run, which is seen elsewhere.
    engine.on_print(|text| drop(crate::effect::log(Level::Info, text)));
    engine.on_debug(|text, _, _| drop(crate::effect::log(Level::Trace, text)));
    super::array::register(&mut engine);
    crate::host::register(&mut engine);
    engine
}

fn add_packages(engine: &mut Engine) {
    ArithmeticPackage::new().register_into_engine(engine);
    LogicPackage::new().register_into_engine(engine);
    BitFieldPackage::new().register_into_engine(engine);
    BasicStringPackage::new().register_into_engine(engine);
    MoreStringPackage::new().register_into_engine(engine);
    BasicIteratorPackage::new().register_into_engine(engine);
    BasicFnPackage::new().register_into_engine(engine);
    BasicMathPackage::new().register_into_engine(engine);
    BasicArrayPackage::new().register_into_engine(engine);
    BasicBlobPackage::new().register_into_engine(engine);
    BasicMapPackage::new().register_into_engine(engine);
}

fn set_limits(engine: &mut Engine) {
    engine
        .set_optimization_level(OptimizationLevel::Simple)
        .set_strict_variables(true)
        .set_fast_operators(true)
        .set_max_strings_interned(0)
        .set_max_call_levels(MAX_CALLS)
        .set_max_expr_depths(MAX_DEPTH.0, MAX_DEPTH.1)
        // Counted by `on_progress`: Rhai's own count forgets what callbacks do.
        .set_max_operations(0)
        .set_max_variables(MAX_VARIABLES)
        .set_max_functions(MAX_FUNCTIONS)
        .set_max_modules(MAX_MODULES)
        .set_max_string_size(MAX_STRING)
        .set_max_array_size(MAX_ARRAY)
        .set_max_map_size(MAX_MAP)
        .disable_symbol("eval");
}

/// Compiles code that sees `variables`. `source` is what errors call it.
pub(crate) fn compile(
    engine: &Engine,
    source: &str,
    code: &str,
    variables: &[&str],
) -> Result<AST, Box<EvalAltResult>> {
    refuse_too_large(code)?;
    let mut ast = engine.compile_with_scope(&scope(variables), code)?;
    ast.set_source(source);
    Ok(ast)
}

/// Compiles an expression that sees `variables`.
pub(crate) fn compile_expression(
    engine: &Engine,
    source: &str,
    code: &str,
    variables: &[&str],
) -> Result<AST, Box<EvalAltResult>> {
    refuse_too_large(code)?;
    let mut ast = engine.compile_expression_with_scope(&scope(variables), code)?;
    ast.set_source(source);
    Ok(ast)
}

/// Variables without values: the compiler must know the names, and must not know constants, which
/// it would put in their places.
fn scope<'a>(variables: &[&'a str]) -> Scope<'a> {
    let mut scope = Scope::new();
    for name in variables {
        scope.push(*name, ());
    }
    scope
}

/// What of a script is over its bound, and the bound: found before the compiler sees it.
pub(crate) fn too_large(code: &str) -> Option<(&'static str, usize)> {
    if code.len() > MAX_SCRIPT {
        Some(("bytes", MAX_SCRIPT))
    } else if code.lines().count() > MAX_LINES {
        Some(("lines", MAX_LINES))
    } else if code.lines().any(|line| line.len() > MAX_COLUMNS) {
        Some(("bytes in a line", MAX_COLUMNS))
    } else if code.matches("=>").count() > MAX_ARMS {
        Some(("arms of `switch`", MAX_ARMS))
    } else {
        None
    }
}

fn refuse_too_large(code: &str) -> Result<(), ParseError> {
    let Some((what, most)) = too_large(code) else { return Ok(()) };
    let kind = ParseErrorType::LiteralTooLarge(format!("script in {what}"), most);
    Err(ParseError(Box::new(kind), Position::NONE))
}

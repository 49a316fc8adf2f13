//! What is said when Signalbox itself is wrong.

use std::panic::PanicHookInfo;

use crate::terminal::say;

/// Replaces the trace that only its authors can read by what a user can do with it.
///
/// It does not end the process: a runner outlives the panic of one of its tasks, and `main` turns
/// one of its own into exit code 70.
pub(crate) fn install() {
    std::panic::set_hook(Box::new(|panic| say(&describe(panic))));
}

fn describe(panic: &PanicHookInfo<'_>) -> String {
    let what = panic.payload_as_str().unwrap_or("no message");
    let place = panic.location().map_or_else(String::new, |place| format!(" at {place}"));
    let version = env!("CARGO_PKG_VERSION");
    let trace = std::backtrace::Backtrace::capture();
    let trace = match trace.status() {
        std::backtrace::BacktraceStatus::Captured => format!("\n{trace}"),
        _ => String::new(),
    };
    format!(
        "error[SB0799]: a fault of Signalbox itself{place}: {what}\n  \
         signalbox {version} on {} {}\n  \
         Please report it with these lines and what you did; RUST_BACKTRACE=1 adds a trace.{trace}",
        std::env::consts::OS,
        std::env::consts::ARCH,
    )
}

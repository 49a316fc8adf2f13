//! The cell: an operating-system process in which one workspace's scripts are evaluated.
//!
//! It reads frames from its standard input, evaluates one run at a time, and asks the runner for
//! every effect. It has no network, no files and no clock but the system's; what it must remember
//! is in the journal that it is given. The runner treats whatever it sends as hostile.

mod branch;
mod check;
mod clock;
mod context;
mod effect;
mod ending;
mod fault;
mod host;
pub mod keyed;
mod link;
mod operations;
mod plan;
pub mod protocol;
mod run;
pub mod sandbox;
mod script;
mod serve;
mod value;

#[cfg(test)]
mod tests;

use std::process::ExitCode;

pub use sandbox::Options;

/// The life of a cell's process. Standard input is one end of a socket pair; the runner is at the
/// other. Call it first thing in `main`: there must be no other thread and nothing open that is
/// needed later.
pub fn run(options: &Options) -> ExitCode {
    let level = match sandbox::enter(options) {
        Ok(level) => level,
        Err(error) => return give_up(&error),
    };
    let evaluating = std::thread::Builder::new()
        .name("cell".to_owned())
        .stack_size(sandbox::STACK)
        .spawn(move || {
            sandbox::forbid_threads()?;
            let link = link::Link::new(Box::new(std::io::stdin()));
            serve::serve(link, level.number());
            Ok::<_, sandbox::Error>(())
        });
    match evaluating.map(std::thread::JoinHandle::join) {
        Ok(Ok(Ok(()))) => ExitCode::SUCCESS,
        Ok(Ok(Err(error))) => give_up(&error),
        Ok(Err(_)) => give_up(&"the evaluating thread panicked"),
        Err(error) => give_up(&error),
    }
}

/// The life of a cell in the calling thread, **without a sandbox**, until the other end of the
/// socket is closed. For tests and simulations that have many cells in one process; a runner never
/// evaluates a script this way. The clock is all the time there is to scripts: computing takes none.
pub fn run_in_this_thread(
    socket: std::os::unix::net::UnixStream,
    clock: std::sync::Arc<dyn signalbox_core::clock::Clock>,
) {
    clock::set_own(clock);
    serve::serve(link::Link::new(Box::new(socket)), 0);
}

/// The stack that a thread needs for [`run_in_this_thread`], in bytes.
pub const STACK: usize = sandbox::STACK;

/// Says on the diagnostics' pipe why there is no cell.
fn give_up(error: &dyn std::fmt::Display) -> ExitCode {
    use std::io::Write as _;
    // Nobody is left to be told when this fails.
    drop(writeln!(std::io::stderr(), "cell: {error}"));
    ExitCode::FAILURE
}

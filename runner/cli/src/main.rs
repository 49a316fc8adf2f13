//! One binary that runs the automation of a whole git monorepo.
//!
//! The command line and the composition root: the only place that prints, reads the environment
//! and exits. One command is one file in `commands/`.

mod cell;
mod cli;
mod client;
mod commands;
mod complete;
mod demo;
mod exit;
mod faults;
mod fields;
mod memory;
mod moment;
mod panics;
mod progress;
mod report;
mod runner;
mod table;
mod terminal;

use std::process::ExitCode;

fn main() -> ExitCode {
    // A cell has nobody to talk to, and must not have threads: nothing comes before it.
    if let Some(ended) = cell::run(std::env::args_os()) {
        return ended;
    }
    panics::install();
    std::panic::catch_unwind(cli::main).unwrap_or_else(|_| exit::Exit::Bug.into())
}

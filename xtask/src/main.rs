//! Automation of the project itself: `cargo xtask check | test | bench | generate`.

mod bench;
mod check;
mod finding;
mod generate;
mod process;
mod suite;
mod tree;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Debug, Parser)]
#[command(name = "cargo xtask", about = "Automation of the project itself")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Checks everything that is fast to check: budget, layers, names, documents
    Check,
    /// Builds the binary and runs every test
    Test {
        /// Passed on to the test runner
        #[arg(last = true)]
        arguments: Vec<String>,
    },
    /// Measures, in release, beside the raw limits of the machine
    Bench {
        /// Prints one JSON document
        #[arg(long)]
        json: bool,
        /// Passed on to the benchmark
        #[arg(last = true)]
        arguments: Vec<String>,
    },
    /// Writes the parts of the documents that are made from code
    Generate {
        /// Writes nothing; fails when a file is not what it would be
        #[arg(long)]
        check: bool,
    },
}

fn main() -> anyhow::Result<ExitCode> {
    match Arguments::parse().command {
        Command::Check => check::run(),
        Command::Test { arguments } => suite::run(&arguments),
        Command::Bench { json, arguments } => bench::run(json, &arguments),
        Command::Generate { check } => generate::run(check),
    }
}

//! Automation of the project itself: `cargo xtask check | test | fuzz | sim | bench | generate`.

mod bench;
mod check;
mod finding;
mod fuzz;
mod generate;
mod install;
mod process;
mod sim;
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
    /// Simulates the life of a runner under faults, as often as wanted
    ///
    /// Each seed is another life: what people do, what goes wrong, how long everything takes. Seeds
    /// that break a promise are printed with what happened in them, ten at most. `cargo xtask test`
    /// simulates the first thousand.
    ///
    /// A seed does the same every time. To see one again:
    ///     cargo xtask sim --from SEED --trace
    #[command(verbatim_doc_comment)]
    Sim {
        /// How many seeds
        #[arg(long, default_value_t = 1_000)]
        seeds: u64,
        /// The first seed
        #[arg(long, default_value_t = 0)]
        from: u64,
        #[command(flatten)]
        show: sim::Show,
    },
    /// Looks for bytes that break a promise, with libFuzzer, guided by coverage
    ///
    /// What is found stands in `target/fuzz/found/`. Keep it in `tests/fuzz/corpus/TARGET/` under
    /// a name that begins with `found-`: the tests then give it to its target every time.
    Fuzz(fuzz::Arguments),
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
        Command::Sim { seeds, from, show } => sim::run(seeds, from, show),
        Command::Fuzz(arguments) => fuzz::run(&arguments),
        Command::Bench { json, arguments } => bench::run(json, &arguments),
        Command::Generate { check } => generate::run(check),
    }
}

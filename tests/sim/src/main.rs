//! `cargo xtask sim`: simulates seeds and prints those that break a promise.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program for people at a terminal"
)]

use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use signalbox_sim::{Report, Revisions, repeat_all, simulate, simulate_all};

/// Simulates seeds and prints those that break a promise.
#[derive(Debug, Parser)]
struct Arguments {
    /// How many seeds
    #[arg(long, default_value_t = 1_000, env = "SIGNALBOX_SIM_SEEDS")]
    seeds: u64,
    /// The first seed
    #[arg(long, default_value_t = 0, env = "SIGNALBOX_SIM_FROM")]
    from: u64,
    /// Simulates only the first seed and prints what happened
    #[arg(long)]
    trace: bool,
    /// Prints how often each fault was met, and each end of each flow
    #[arg(long)]
    tally: bool,
    /// Simulates each seed twice and prints those that did not happen again exactly
    #[arg(long, conflicts_with_all = ["trace", "tally"])]
    twice: bool,
}

fn main() -> ExitCode {
    let Arguments { seeds, from, trace, tally, twice } = Arguments::parse();
    if trace {
        return match simulate(&Revisions::new(), from) {
            Ok((lines, _)) => {
                println!("{}", lines.join("\n"));
                ExitCode::SUCCESS
            }
            Err(broken) => {
                println!("{broken}");
                ExitCode::FAILURE
            }
        };
    }
    let began = Instant::now();
    let range = from..from + seeds;
    let report = if twice { repeat_all(range) } else { simulate_all(range) };
    let Report { broken, unsteady, met } = report;
    if tally {
        for (what, times) in met {
            println!("{times:>9}  {what}");
        }
    }
    for broken in &broken {
        println!("{broken}\n");
    }
    let times = if twice { ", twice each" } else { "" };
    let seconds = began.elapsed().as_secs_f64();
    eprintln!("{seeds} seeds from {from}{times}, in {seconds:.1} s");
    if !unsteady.is_empty() {
        eprintln!("not the same the second time: {unsteady:?}");
    }
    if !broken.is_empty() {
        let failed: Vec<_> = broken.iter().map(|broken| broken.seed.to_string()).collect();
        eprintln!("broken: {}", failed.join(" "));
    }
    if broken.is_empty() && unsteady.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

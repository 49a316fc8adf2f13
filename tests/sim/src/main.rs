//! `cargo xtask sim`: simulates seeds and prints those that break a promise.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program for people at a terminal"
)]

use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use signalbox_sim::{Report, Revisions, simulate, simulate_all};

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
}

fn main() -> ExitCode {
    let Arguments { seeds, from, trace, tally } = Arguments::parse();
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
    let Report { broken, met } = simulate_all(from..from + seeds);
    if tally {
        for (what, times) in met {
            println!("{times:>9}  {what}");
        }
    }
    for broken in &broken {
        println!("{broken}\n");
    }
    eprintln!("{seeds} seeds from {from} in {:.1} s", began.elapsed().as_secs_f64());
    if broken.is_empty() {
        return ExitCode::SUCCESS;
    }
    let failed: Vec<_> = broken.iter().map(|broken| broken.seed.to_string()).collect();
    eprintln!("broken: {}", failed.join(" "));
    ExitCode::FAILURE
}

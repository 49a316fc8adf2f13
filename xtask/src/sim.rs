//! Simulates: seeds on demand, as many as wanted, or one with everything that happened in it.

use std::process::ExitCode;

use crate::process;

/// What is shown of the simulations.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct Show {
    /// Simulates only the first seed and prints what happened in it, in order
    #[arg(long)]
    trace: bool,
    /// Prints how often each fault was met, and each end of each flow
    #[arg(long)]
    tally: bool,
    /// Simulates each seed twice and prints those that did not happen again exactly
    #[arg(long, conflicts_with_all = ["trace", "tally"])]
    twice: bool,
}

pub(crate) fn run(seeds: u64, from: u64, show: Show) -> anyhow::Result<ExitCode> {
    let metadata = process::metadata()?;
    let mut sim = process::cargo();
    sim.current_dir(&metadata.workspace_root);
    sim.args(["run", "--profile", "ci", "--quiet", "--package", "signalbox-sim", "--"]);
    sim.args(["--seeds", &seeds.to_string(), "--from", &from.to_string()]);
    sim.args(show.trace.then_some("--trace")).args(show.tally.then_some("--tally"));
    sim.args(show.twice.then_some("--twice"));
    process::exit_code(&mut sim)
}

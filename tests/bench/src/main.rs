//! Measures Signalbox beside the raw limits of the machine it runs on, in the same run.
//!
//! `cargo xtask bench [--json] [-- [--quick] NAME...]`. Every figure stands beside the limit that it is
//! to be read against: a durable commit, a durable batch, a round trip to a child process, an evaluation
//! in process. Nothing here is a test: no figure makes anything fail.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program for people at a terminal"
)]

mod clients;
mod cold;
mod fixture;
mod growth;
mod hostile;
mod http;
mod in_process;
mod noisy;
mod process;
mod push;
mod raw;
mod replay;
mod report;
mod schedules;
mod shapes;
mod sleepers;
mod waterfall;

use std::path::PathBuf;

use anyhow::{Context as _, Result};

use report::Report;
use sleepers::Scale;

/// What every measurement is given.
struct Bench {
    report: Report,
    binary: PathBuf,
    runtime: tokio::runtime::Runtime,
    /// Whether smaller numbers will do, for a quick look.
    quick: bool,
}

/// One that can be asked for by its name.
type Measure = fn(&mut Bench) -> Result<()>;

/// All of them, in the order in which they are made: the raw limits first, what takes long last.
const MEASURES: [(&str, Measure); 15] = [
    ("raw", |b| raw::measure(&mut b.report)),
    ("latency", |b| b.runtime.block_on(in_process::latency(&mut b.report, &b.binary))),
    ("waterfall", |b| b.runtime.block_on(waterfall::measure(&mut b.report, &b.binary))),
    ("in-process", |b| b.runtime.block_on(in_process::measure(&mut b.report, &b.binary))),
    ("http", |b| b.runtime.block_on(http::measure(&mut b.report, &b.binary))),
    ("shapes", |b| b.runtime.block_on(shapes::measure(&mut b.report, &b.binary))),
    ("cold", |b| b.runtime.block_on(cold::measure(&mut b.report, &b.binary))),
    ("push", |b| b.runtime.block_on(push::measure(&mut b.report, &b.binary))),
    ("replay", |b| {
        replay::measure(&mut b.report, &b.binary);
        Ok(())
    }),
    ("process", |b| process::measure(&mut b.report, &b.binary)),
    ("sleepers", |b| {
        let scale = if b.quick { Scale::QUICK } else { Scale::FULL };
        b.runtime.block_on(sleepers::measure(&mut b.report, &b.binary, scale))
    }),
    ("schedules", |b| b.runtime.block_on(schedules::measure(&mut b.report, &b.binary))),
    ("noisy", |b| {
        let scale = if b.quick { noisy::Scale::QUICK } else { noisy::Scale::FULL };
        b.runtime.block_on(noisy::measure(&mut b.report, &b.binary, scale))
    }),
    ("hostile", |b| hostile::measure(&mut b.report, &b.binary)),
    ("growth", |b| {
        let steps = if b.quick { growth::QUICK_HISTORY } else { growth::HISTORY };
        b.runtime.block_on(growth::workspaces(&mut b.report, &b.binary))?;
        b.runtime.block_on(growth::history(&mut b.report, &b.binary, steps))
    }),
];

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().is_some_and(|first| first == raw::ECHO) {
        return raw::echo();
    }
    let has = |flag: &str| arguments.iter().any(|argument| argument == flag);
    let names: Vec<_> = arguments.iter().filter(|name| !name.starts_with('-')).collect();
    let mut bench = Bench {
        report: Report::of_this_machine(),
        binary: binary()?,
        runtime: tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()?,
        quick: has("--quick"),
    };
    for (name, measure) in MEASURES {
        if names.is_empty() || names.iter().any(|wanted| name.contains(*wanted)) {
            eprintln!("{name} ...");
            measure(&mut bench).with_context(|| format!("measure {name}"))?;
        }
    }
    let report = bench.report;
    println!("{}", if has("--json") { report.to_json() } else { report.to_table() });
    Ok(())
}

/// The binary under measurement, built by `cargo xtask bench`.
fn binary() -> Result<PathBuf> {
    let named = std::env::var_os("SIGNALBOX_BIN").map(PathBuf::from);
    let built = || Some(std::env::current_exe().ok()?.with_file_name("signalbox"));
    let path = named.or_else(built).context("find the signalbox binary")?;
    path.canonicalize().with_context(|| format!("find {}", path.display()))
}

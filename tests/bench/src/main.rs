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
mod fixture;
mod http;
mod in_process;
mod noisy;
mod process;
mod raw;
mod replay;
mod report;
mod schedules;
mod sleepers;

use std::path::PathBuf;

use anyhow::{Context as _, Result};

use report::Report;
use sleepers::Scale;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().is_some_and(|first| first == raw::ECHO) {
        return raw::echo();
    }
    let json = arguments.iter().any(|argument| argument == "--json");
    let quick = arguments.iter().any(|argument| argument == "--quick");
    let names: Vec<_> = arguments.iter().filter(|name| !name.starts_with('-')).collect();
    let wanted = |name: &str| names.is_empty() || names.iter().any(|wanted| name.contains(*wanted));
    let binary = binary()?;
    let mut report = Report::of_this_machine();
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    if wanted("raw") {
        eprintln!("raw limits ...");
        raw::measure(&mut report)?;
    }
    if wanted("latency") {
        eprintln!("latency ...");
        runtime.block_on(in_process::latency(&mut report, &binary))?;
    }
    if wanted("in-process") {
        eprintln!("in process ...");
        runtime.block_on(in_process::measure(&mut report, &binary))?;
    }
    if wanted("http") {
        eprintln!("over HTTP ...");
        runtime.block_on(http::measure(&mut report, &binary))?;
    }
    if wanted("schedules") {
        eprintln!("schedules ...");
        runtime.block_on(schedules::measure(&mut report, &binary))?;
    }
    if wanted("replay") {
        eprintln!("replay ...");
        replay::measure(&mut report, &binary);
    }
    if wanted("sleepers") {
        eprintln!("sleepers ...");
        let scale = if quick { Scale::QUICK } else { Scale::FULL };
        runtime.block_on(sleepers::measure(&mut report, &binary, scale))?;
    }
    if wanted("noisy") {
        eprintln!("noisy neighbour ...");
        let scale = if quick { noisy::Scale::QUICK } else { noisy::Scale::FULL };
        runtime.block_on(noisy::measure(&mut report, &binary, scale))?;
    }
    if wanted("process") {
        eprintln!("start and idle ...");
        process::measure(&mut report, &binary)?;
    }
    println!("{}", if json { report.to_json() } else { report.to_table() });
    Ok(())
}

/// The binary under measurement, built by `cargo xtask bench`.
fn binary() -> Result<PathBuf> {
    let named = std::env::var_os("SIGNALBOX_BIN").map(PathBuf::from);
    let built = || Some(std::env::current_exe().ok()?.with_file_name("signalbox"));
    let path = named.or_else(built).context("find the signalbox binary")?;
    path.canonicalize().with_context(|| format!("find {}", path.display()))
}

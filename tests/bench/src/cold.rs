//! Cells: how soon one is there, what it weighs, and what each wall costs.

use std::io::Read as _;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use signalbox_cell::protocol::{FromCell, read_frame};
use signalbox_testkit::refuse;

use crate::report::{Report, percentile};
use crate::{fixture, in_process, raw};

/// Cells that are started for each figure.
const CELLS: usize = 200;
/// System calls without which a wall cannot be put up. A call that nobody makes is refused to those
/// that have all, so that all are started in the same way.
const WALLS: [(&str, &[i64]); 5] = [
    ("with all walls, started as the following", &[libc::SYS_acct]),
    ("without namespaces", &[libc::SYS_unshare]),
    ("without landlock", &[libc::SYS_landlock_create_ruleset]),
    ("without the filter of system calls", &[libc::SYS_seccomp]),
    (
        "without any of the three",
        &[libc::SYS_unshare, libc::SYS_landlock_create_ruleset, libc::SYS_seccomp],
    ),
];

pub(crate) async fn measure(report: &mut Report, binary: &Path) -> Result<()> {
    let mut bare = Vec::new();
    for _ in 0..CELLS {
        bare.push(echo()?);
    }
    report.add(raw::PROCESS, percentile(&mut bare, 50.0), "ms");
    let mut whole = (0..CELLS).map(|_| ready(binary, &[])).collect::<Result<Vec<_>>>()?;
    let (p50, p99) = (percentile(&mut whole, 50.0), percentile(&mut whole, 99.0));
    report.add_beside("a cell from nothing to ready, p50", p50, "ms", "", raw::PROCESS);
    report.add_beside("a cell from nothing to ready, p99", p99, "ms", "≤ 15 ms", raw::PROCESS);
    // In turn: what the machine does meanwhile costs each of them as much.
    let mut walls = WALLS.map(|_| Vec::with_capacity(CELLS));
    for _ in 0..CELLS {
        for ((_, calls), times) in WALLS.iter().zip(&mut walls) {
            times.push(ready(binary, calls)?);
        }
    }
    for ((name, _), mut times) in WALLS.iter().zip(walls) {
        report.add(&format!("  {name}, p50"), percentile(&mut times, 50.0), "ms");
    }
    first_runs(report, binary).await
}

/// Milliseconds from the start of a process that does nothing until its first byte.
fn echo() -> Result<f64> {
    use std::io::Write as _;
    let (mut socket, theirs) = UnixStream::pair()?;
    let started = Instant::now();
    let mut child = Command::new(std::env::current_exe()?)
        .arg(raw::ECHO)
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .spawn()?;
    socket.write_all(&[1])?;
    socket.read_exact(&mut [0])?;
    let took = started.elapsed().as_secs_f64() * 1e3;
    drop(socket);
    child.wait()?;
    Ok(took)
}

/// Milliseconds from the start of a cell's process until it takes work.
fn ready(binary: &Path, refused: &[i64]) -> Result<f64> {
    let (mut socket, theirs) = UnixStream::pair()?;
    let mut command = Command::new(binary);
    command.args(["__cell", "--memory", "134217728", "--isolation", "L1"]).env_clear();
    command.stdin(Stdio::from(OwnedFd::from(theirs)));
    if !refused.is_empty() {
        refuse(&mut command, refused);
    }
    let started = Instant::now();
    let mut child = command.spawn()?;
    // It holds their end of the socket.
    drop(command);
    let mut inbox = Vec::new();
    let first = loop {
        let mut bytes = [0; 64];
        let length = socket.read(&mut bytes)?;
        ensure!(length > 0, "the cell ended before it was ready");
        inbox.extend_from_slice(&bytes[..length]);
        if let Some((frame, _)) = read_frame::<FromCell>(&inbox)? {
            break frame;
        }
    };
    let took = started.elapsed().as_secs_f64() * 1e3;
    ensure!(matches!(first, FromCell::Ready { .. }), "the cell says {first:?} first");
    drop(socket);
    child.wait()?;
    Ok(took)
}

/// The first run of each of many workspaces, none of which has a cell, and what the cells weigh
/// that are there then.
async fn first_runs(report: &mut Report, binary: &Path) -> Result<()> {
    let repo = fixture::workspaces_of_one_flow(CELLS);
    let data = tempfile::tempdir()?;
    let engine = fixture::engine(&repo.path(), data.path(), binary).await?;
    let handle = engine.handle();
    let mut times = Vec::new();
    let mut weights = Vec::new();
    for number in 0..CELLS {
        times.push(in_process::one(&handle, &format!("w{number}/one")).await?);
        if number == CELLS / 2 {
            weights = cells_of_this_process()?;
        }
    }
    engine.stop().await?;
    let (p50, p99) = (percentile(&mut times, 50.0), percentile(&mut times, 99.0));
    report.add("the first run of a workspace, with its cell, p50", p50, "ms");
    report.add_beside("the first run of a workspace, with its cell, p99", p99, "ms", "≤ 15 ms", "");
    let count = weights.len();
    let (mut own, mut shared): (Vec<_>, Vec<_>) = weights.into_iter().unzip();
    let name = format!("memory of a cell that has run one step, its own, median of {count}");
    report.add(&name, percentile(&mut own, 50.0), "MiB");
    let name = "the same with its part of what it shares (PSS)";
    report.add(name, percentile(&mut shared, 50.0), "MiB");
    Ok(())
}

/// Memory of the cells that this process has, in MiB: what is their own, and what they weigh in
/// all when that which is shared is divided by those who share it.
fn cells_of_this_process() -> Result<Vec<(f64, f64)>> {
    let mut weights = Vec::new();
    for task in std::fs::read_dir("/proc/self/task")? {
        let children = std::fs::read_to_string(task?.path().join("children"))?;
        for child in children.split_whitespace() {
            // One that ends meanwhile has no memory to read.
            let Ok(maps) = std::fs::read_to_string(format!("/proc/{child}/smaps_rollup")) else {
                continue;
            };
            let own = kib(&maps, "Private_Dirty:")? + kib(&maps, "Private_Clean:")?;
            weights.push((own / 1024.0, kib(&maps, "Pss:")? / 1024.0));
        }
    }
    Ok(weights)
}

fn kib(maps: &str, field: &str) -> Result<f64> {
    let line = maps.lines().find_map(|line| line.strip_prefix(field));
    Ok(line.context("a figure of memory")?.trim().trim_end_matches(" kB").trim().parse()?)
}

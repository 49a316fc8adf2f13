//! What the machine can do without Signalbox.

use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Result, anyhow};

use crate::fixture::FIB;
use crate::report::{Report, per_second, percentile};

/// The argument that makes this program the child that sends everything back.
pub(crate) const ECHO: &str = "__echo";
/// Durable commits of one row per second.
pub(crate) const COMMITS: &str = "raw: durable commits of one row";
/// Durable rows per second in batches of 200.
pub(crate) const ROWS: &str = "raw: durable rows in batches of 200";
/// 100 durable rows, eight in a commit.
pub(crate) const BRANCHES: &str = "raw: 100 durable rows in commits of 8";
/// A round trip to a child process.
pub(crate) const ROUND_TRIP: &str = "raw: round trip to a child";
/// From the start of a process that does nothing until its first byte.
pub(crate) const PROCESS: &str = "raw: a process from nothing to its first byte";
/// 40 evaluations of fib(10) in process.
pub(crate) const EVALUATION: &str = "raw: Rhai 40 × fib(10)";
/// 10,000 calls of a function of the host from a script, in process.
pub(crate) const CALLS: &str = "raw: Rhai 10,000 calls of the host";

pub(crate) fn measure(report: &mut Report) -> Result<()> {
    commits(report)?;
    round_trip(report)?;
    evaluation(report)
}

fn commits(report: &mut Report) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut database = rusqlite::Connection::open(folder.path().join("raw.db"))?;
    database.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
         CREATE TABLE rows (id INTEGER PRIMARY KEY, name TEXT, body BLOB);",
    )?;
    let insert = "INSERT INTO rows (name, body) VALUES (?, ?)";
    let body = [7_u8; 100];
    let started = Instant::now();
    for _ in 0..3_000 {
        database.prepare_cached(insert)?.execute(("a flow", body.as_slice()))?;
    }
    report.add(COMMITS, per_second(3_000, started), "/s");
    let started = Instant::now();
    for _ in 0..500 {
        let batch = database.transaction()?;
        for _ in 0..200 {
            batch.prepare_cached(insert)?.execute(("a flow", body.as_slice()))?;
        }
        batch.commit()?;
    }
    report.add(ROWS, per_second(100_000, started), "/s");
    let mut times = Vec::new();
    for _ in 0..50 {
        let started = Instant::now();
        let mut left: usize = 100;
        while left > 0 {
            let batch = database.transaction()?;
            for _ in 0..left.min(8) {
                batch.prepare_cached(insert)?.execute(("a flow", body.as_slice()))?;
            }
            batch.commit()?;
            left = left.saturating_sub(8);
        }
        times.push(started.elapsed().as_secs_f64() * 1e3);
    }
    report.add(BRANCHES, percentile(&mut times, 50.0), "ms");
    Ok(())
}

/// Sends back what comes in, until nothing does.
pub(crate) fn echo() -> Result<()> {
    use std::os::fd::AsFd as _;
    let mut socket = UnixStream::from(std::io::stdin().as_fd().try_clone_to_owned()?);
    let mut buffer = [0; 64];
    loop {
        match socket.read(&mut buffer)? {
            0 => return Ok(()),
            length => socket.write_all(&buffer[..length])?,
        }
    }
}

fn round_trip(report: &mut Report) -> Result<()> {
    let (mut socket, theirs) = UnixStream::pair()?;
    let mut child = Command::new(std::env::current_exe()?)
        .arg(ECHO)
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .spawn()?;
    let mut times = Vec::new();
    for _ in 0..10_000 {
        let started = Instant::now();
        socket.write_all(&[1; 64])?;
        socket.read_exact(&mut [0; 64])?;
        times.push(started.elapsed().as_secs_f64() * 1e6);
    }
    drop(socket);
    child.wait()?;
    report.add(ROUND_TRIP, percentile(&mut times, 50.0), "µs");
    Ok(())
}

/// A Fibonacci number by [`FIB`].
pub(crate) fn fib(engine: &rhai::Engine, ast: &rhai::AST, n: i64) -> Result<i64> {
    let mut scope = rhai::Scope::new();
    engine.call_fn(&mut scope, ast, "fib", (n,)).map_err(|error| anyhow!("{error}"))
}

fn evaluation(report: &mut Report) -> Result<()> {
    let mut engine = rhai::Engine::new();
    engine.set_max_call_levels(64);
    let ast = engine.compile(FIB)?;
    let mut times = Vec::new();
    for _ in 0..50 {
        let started = Instant::now();
        for _ in 0..40 {
            fib(&engine, &ast, 10)?;
        }
        times.push(started.elapsed().as_secs_f64() * 1e3);
    }
    report.add(EVALUATION, percentile(&mut times, 50.0), "ms");
    engine.register_fn("effect", |name: &str| i64::try_from(name.len()).unwrap_or_default());
    let ast = engine.compile("for n in 0..10_000 { effect(`name-${n % 100}`) }")?;
    let mut times = Vec::new();
    for _ in 0..20 {
        let started = Instant::now();
        engine.run_ast(&ast).map_err(|error| anyhow!("{error}"))?;
        times.push(started.elapsed().as_secs_f64() * 1e3);
    }
    report.add(CALLS, percentile(&mut times, 50.0), "ms");
    Ok(())
}

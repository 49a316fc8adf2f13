//! Runs that are accepted in the process that runs them.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use signalbox_core::Value;
use signalbox_core::run::State;
use signalbox_engine::{Handle, StartRequest};
use signalbox_store::contract::RunFilter;

use crate::raw;
use crate::report::{Report, per_second, percentile};

/// Longest time of one run.
const LIMIT: Duration = Duration::from_mins(1);

pub(crate) async fn measure(report: &mut Report, binary: &Path) -> Result<()> {
    let repo = crate::fixture::repository();
    let data = tempfile::tempdir()?;
    let engine = crate::fixture::engine(&repo.path(), data.path(), binary).await?;
    let handle = engine.handle();
    one(&handle, "bench/one").await?;
    let rate = throughput(&handle, "bench/one", 60_000).await?;
    report.add_beside("one step, in process", rate, "runs/s", "≥ 20,000", raw::ROWS);
    let rate = throughput(&handle, "bench/three", 30_000).await?;
    report.add_beside("three steps, in process", rate, "runs/s", "≥ 8,000", raw::ROWS);
    let median = median(&handle, "bench/three", 300).await?;
    report.add_beside("three steps, median", median, "ms", "≤ 1.5 ms", raw::ROUND_TRIP);
    let hundred = self::median(&handle, "bench/hundred", 100).await?;
    let each = hundred * 10.0;
    report.add_beside("100 steps, each", each, "µs", "≤ 100 µs", raw::ROUND_TRIP);
    let fib = self::median(&handle, "bench/fib", 50).await?;
    report.add_beside("40 × fib(10) in one flow", fib, "ms", "≤ 20 ms", raw::EVALUATION);
    let foreach = self::median(&handle, "bench/foreach", 50).await?;
    let name = "foreach over 100 branches, each a state::add, 8 at once";
    report.add_beside(name, foreach, "ms", "≤ 15 ms", raw::BRANCHES);
    let parallel = self::median(&handle, "bench/parallel", 50).await?;
    let name = "parallel([...]) of 100 branches, each a state::add, 8 at once";
    report.add_beside(name, parallel, "ms", "≤ 15 ms", raw::BRANCHES);
    check(&handle).await?;
    engine.stop().await?;
    Ok(())
}

/// 100 runs a second, evenly spaced, for ten seconds.
pub(crate) async fn latency(report: &mut Report, binary: &Path) -> Result<()> {
    let repo = crate::fixture::repository();
    let data = tempfile::tempdir()?;
    let engine = crate::fixture::engine(&repo.path(), data.path(), binary).await?;
    let handle = engine.handle();
    one(&handle, "bench/one").await?;
    let mut times = paced(&handle, |_| "bench/one".to_owned(), 1_000).await?;
    let (p50, p99) = (percentile(&mut times, 50.0), percentile(&mut times, 99.0));
    report.add_beside("one step at 100/s, p50", p50, "ms", "≤ 1 ms", raw::ROUND_TRIP);
    report.add_beside("one step at 100/s, p99", p99, "ms", "≤ 5 ms", raw::ROUND_TRIP);
    check(&handle).await?;
    engine.stop().await?;
    Ok(())
}

/// So many runs of the flows of their numbers, 100 a second, and what each took in milliseconds.
pub(crate) async fn paced(
    handle: &Handle,
    flow: impl Fn(usize) -> String,
    count: usize,
) -> Result<Vec<f64>> {
    let mut ticks = tokio::time::interval(Duration::from_millis(10));
    let mut runs = tokio::task::JoinSet::new();
    for number in 0..count {
        ticks.tick().await;
        let (handle, flow) = (handle.clone(), flow(number));
        runs.spawn(async move { one(&handle, &flow).await });
    }
    let mut times = Vec::new();
    while let Some(time) = runs.join_next().await {
        times.push(time??);
    }
    Ok(times)
}

/// Nothing that was measured may have failed.
pub(crate) async fn check(handle: &Handle) -> Result<()> {
    let filter = RunFilter { state: Some(State::Failed), limit: 1, ..RunFilter::default() };
    let failed = handle.store().runs(filter).await?;
    ensure!(failed.items.is_empty(), "a measured run failed: {failed:?}");
    Ok(())
}

fn request(flow: &str) -> Result<StartRequest> {
    let inputs = Value::map([("x", Value::Int(41))]);
    Ok(StartRequest { flow: flow.parse()?, inputs, idempotency_key: None })
}

/// Starts a run of `workspace/flow` and waits for its end: milliseconds.
pub(crate) async fn one(handle: &Handle, flow: &str) -> Result<f64> {
    let started = Instant::now();
    let run = handle.start(request(flow)?).await?.run;
    ensure!(handle.wait(&run, LIMIT).await?.is_some(), "run {run} takes too long");
    Ok(started.elapsed().as_secs_f64() * 1e3)
}

/// What a run of `workspace/flow` takes, one after the other: the median, in milliseconds.
pub(crate) async fn median(handle: &Handle, flow: &str, runs: usize) -> Result<f64> {
    let mut times = Vec::new();
    for _ in 0..runs {
        times.push(one(handle, flow).await?);
    }
    Ok(percentile(&mut times, 50.0))
}

/// Runs per second from the first accept to the last end, accepted by 256 tasks.
pub(crate) async fn throughput(handle: &Handle, flow: &'static str, runs: usize) -> Result<f64> {
    let started = Instant::now();
    let next = Arc::new(AtomicUsize::new(0));
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..256 {
        let (handle, next) = (handle.clone(), Arc::clone(&next));
        tasks.spawn(async move {
            let mut last = None;
            while next.fetch_add(1, Ordering::Relaxed) < runs {
                last = Some(handle.start(request(flow)?).await?.run);
            }
            anyhow::Ok(last)
        });
    }
    let mut last = Vec::new();
    while let Some(task) = tasks.join_next().await {
        last.extend(task??);
    }
    for run in last {
        ensure!(handle.wait(&run, LIMIT).await?.is_some(), "run {run} takes too long");
    }
    drain(handle).await?;
    Ok(per_second(runs, started))
}

/// Waits until no run is queued.
pub(crate) async fn drain(handle: &Handle) -> Result<()> {
    for state in [State::Queued, State::Running] {
        loop {
            let filter = RunFilter { state: Some(state), limit: 1, ..RunFilter::default() };
            match handle.store().runs(filter).await?.items.first() {
                Some(run) => {
                    ensure!(handle.wait(&run.id, LIMIT).await?.is_some(), "a run takes too long");
                }
                None => break,
            }
        }
    }
    Ok(())
}

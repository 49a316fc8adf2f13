//! A hundred thousand schedules: how soon they stand, what comes next, and how late they fire.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use signalbox_core::run::Trigger;
use signalbox_engine::Handle;
use signalbox_store::contract::RunFilter;
use signalbox_testkit::{Repo, Serve};

use crate::report::{Report, percentile};
use crate::{fixture, process};

/// Workspaces, flows of each, and schedules of each flow: 100,000 together.
const WORKSPACES: usize = 1_000;
const FLOWS: usize = 2;
const SCHEDULES: usize = 50;
/// Different times; each is an hourly expression with seconds.
const PATTERNS: usize = 1_000;
/// How long slots are watched: about 28 fire in a second.
const WATCHED: Duration = Duration::from_secs(30);

pub(crate) async fn measure(report: &mut Report, binary: &Path) -> Result<()> {
    let repo = repository(SCHEDULES);
    let data = tempfile::tempdir()?;
    // The first look makes everything live; what is measured is the start after it.
    fixture::engine(&repo.path(), data.path(), binary).await?.stop().await?;
    let started = Instant::now();
    let engine = fixture::start(&repo.path(), data.path(), binary).await?;
    let handle = engine.handle();
    ensure!(handle.next_slots(1).len() == 1, "no schedule fires");
    let start = started.elapsed().as_secs_f64() * 1e3;
    report.add_beside("100,000 schedules, start", start, "ms", "≤ 1,000 ms", "");
    // The scheduler has them all when it has answered for them.
    ensure!(handle.schedules().await?.len() == WORKSPACES * FLOWS * SCHEDULES, "some are missing");
    tokio::time::sleep(Duration::from_secs(2)).await;
    let mut times = Vec::new();
    for _ in 0..100 {
        let started = Instant::now();
        let slots = handle.next_slots(100).len();
        ensure!(slots == 100, "only {slots} slots");
        times.push(started.elapsed().as_secs_f64() * 1e3);
    }
    let next = percentile(&mut times, 50.0);
    report.add_beside("next over 1,000 workspaces", next, "ms", "≤ 50 ms", "");
    let p99 = lateness(&handle).await?;
    report.add_beside("100,000 schedules, late p99", p99, "ms", "≤ 5 ms", "");
    engine.stop().await?;
    let each = memory(binary)?;
    report.add_beside("100,000 schedules, memory each", each, "KiB", "≤ 1 KiB", "");
    Ok(())
}

/// From the slot to the moment at which its run is accepted.
async fn lateness(handle: &Handle) -> Result<f64> {
    let since = handle.now();
    tokio::time::sleep(WATCHED).await;
    let filter = RunFilter { limit: 1_000, ..RunFilter::default() };
    let runs = handle.store().runs(filter).await?;
    let mut late: Vec<_> = runs
        .items
        .iter()
        .filter_map(|run| {
            let Trigger::Schedule { slot, .. } = run.trigger else { return None };
            (slot > since).then(|| run.queued_at.since(slot).as_secs_f64() * 1e3)
        })
        .collect();
    ensure!(late.len() > 100, "only {} slots have fired", late.len());
    Ok(percentile(&mut late, 99.0))
}

/// What a schedule weighs: the memory of a runner that has them all, less that of one that has one
/// of each flow, both started over what is live.
fn memory(binary: &Path) -> Result<f64> {
    let mut weights = Vec::new();
    for schedules in [1, SCHEDULES] {
        let repo = repository(schedules);
        let (launch, mut first) = Serve::start(binary, &repo.path());
        first.client().post("/api/v1/sync", &serde_json::json!({ "wait": 120 })).expect(200);
        first.terminate();
        let mut serve = launch.start();
        // The scheduler has them all when it has answered for them.
        serve.client().get("/api/v1/schedules/next?limit=1").expect(200);
        weights.push(process::memory(serve.pid())? * 1024.0);
        serve.terminate();
    }
    #[expect(clippy::cast_precision_loss, reason = "a hundred thousand")]
    let more = (WORKSPACES * FLOWS * (SCHEDULES - 1)) as f64;
    Ok((weights[1] - weights[0]) / more)
}

/// So many schedules of each flow, spread over the hour.
fn repository(schedules: usize) -> Repo {
    fixture::workspaces(WORKSPACES, |repo, workspace| {
        for flow in 0..FLOWS {
            let line = |schedule| {
                let number = (workspace * FLOWS + flow) * SCHEDULES + schedule;
                let at = number * 7_919 % PATTERNS * 3_600 / PATTERNS;
                let (minute, second) = (at / 60, at % 60);
                format!("  - {{ name: s{schedule}, cron: \"{second} {minute} * * * *\" }}\n")
            };
            let lines: String = (0..schedules).map(line).collect();
            let file = format!("schedules:\n{lines}run: '1'\n");
            repo.write(&format!("w{workspace}/flows/f{flow}.yaml"), file);
        }
    })
}

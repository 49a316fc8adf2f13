//! The real binary as a process: how fast it starts, what it costs when nothing happens.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use signalbox_testkit::{Launch, Repo, Serve};

use crate::report::{Report, percentile};

pub(crate) fn measure(report: &mut Report, binary: &Path) -> Result<()> {
    let repo = homeops()?;
    let (launch, mut first) = Serve::start(binary, &repo.path());
    first.client().post("/api/v1/sync", &serde_json::json!({ "wait": 30 })).expect(200);
    first.terminate();
    let mut times = Vec::new();
    for _ in 0..10 {
        let started = Instant::now();
        let mut serve = launch.start();
        times.push(started.elapsed().as_secs_f64() * 1e3);
        serve.terminate();
    }
    let median = percentile(&mut times, 50.0);
    report.add_beside("start to ready, homeops", median, "ms", "≤ 150 ms", "");
    idle(report, &launch)
}

/// Memory and processor time of a runner whose schedules are far away and whose cells are gone.
fn idle(report: &mut Report, launch: &Launch) -> Result<()> {
    let mut serve = launch.start();
    // Longer than a cell without work is kept.
    std::thread::sleep(Duration::from_secs(15));
    let before = ticks(serve.pid())?;
    std::thread::sleep(Duration::from_secs(10));
    let used = ticks(serve.pid())? - before;
    #[expect(clippy::cast_precision_loss, reason = "a handful of ticks")]
    let percent = used as f64 / (10.0 * 100.0) * 100.0;
    report.add_beside("idle memory (RSS), homeops", memory(serve.pid())?, "MiB", "≤ 40 MiB", "");
    report.add_beside("idle processor time over 10 s", percent, "%", "0.0 %", "");
    serve.terminate();
    Ok(())
}

/// The example repository without the schedule that fires every few seconds.
fn homeops() -> Result<Repo> {
    let repo = Repo::new();
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/homeops/.");
    let copied = Command::new("cp").arg("-r").arg(&example).arg(repo.path()).status()?;
    anyhow::ensure!(copied.success(), "copy {}", example.display());
    let path = "windmill/flows/monitoring/market-hours.yaml";
    let flow = std::fs::read_to_string(repo.path().join(path))?;
    let quiet: String = flow
        .lines()
        .map(|line| if line.contains("cron:") { "  - { cron: \"0 0 1 1 *\" }" } else { line })
        .flat_map(|line| [line, "\n"])
        .collect();
    repo.write(path, quiet);
    repo.commit("homeops");
    Ok(repo)
}

/// Processor time of a process so far, in hundredths of a second.
fn ticks(pid: i32) -> Result<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let fields: Vec<_> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let field = |at: usize| fields.get(at).and_then(|text| text.parse::<u64>().ok());
    Ok(field(11).context("user time")? + field(12).context("system time")?)
}

/// Resident memory of a process, in MiB.
pub(crate) fn memory(pid: i32) -> Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib: f64 =
        line.context("resident memory")?.trim().trim_end_matches(" kB").trim().parse()?;
    Ok(kib / 1024.0)
}

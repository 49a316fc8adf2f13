//! From the hint to what is live, when one workspace of many has changed.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use signalbox_sync::hints::HintKind;
use signalbox_testkit::Repo;

use crate::fixture;
use crate::report::{Report, percentile};

/// Files of a workspace.
const FILES: usize = 100;
/// Pushes that are measured.
const PUSHES: usize = 30;

pub(crate) async fn measure(report: &mut Report, binary: &Path) -> Result<()> {
    let small = live(binary, 10).await?;
    report.add("push → live, 1,000 files, 10 workspaces, one changed, median", small.0, "ms");
    let (median, worst) = live(binary, 100).await?;
    let name = "push → live, 10,000 files, 100 workspaces, one changed";
    report.add_beside(&format!("{name}, median"), median, "ms", "≤ 50 ms", "");
    report.add_beside(&format!("{name}, slowest of {PUSHES}"), worst, "ms", "≤ 50 ms", "");
    Ok(())
}

/// Milliseconds from the hint until the report says that the change is live: median and slowest.
async fn live(binary: &Path, workspaces: usize) -> Result<(f64, f64)> {
    let repo = repository(workspaces);
    let data = tempfile::tempdir()?;
    let engine = fixture::engine(&repo.path(), data.path(), binary).await?;
    let handle = engine.handle();
    let mut times = Vec::new();
    for push in 0..PUSHES {
        let workspace = push * 7 % workspaces;
        repo.write(&format!("w{workspace}/flows/f0.yaml"), format!("run: '{push} + 1'\n"));
        let head = repo.commit("a push");
        let started = Instant::now();
        let report = handle.sync(HintKind::Cli, Some(Duration::from_mins(1))).await?;
        times.push(started.elapsed().as_secs_f64() * 1e3);
        let report = report.context("the push takes too long")?;
        ensure!(report.is_good(), "the push is not live: {report:?}");
        let live = handle.live();
        let name = format!("w{workspace}").parse()?;
        let (spec, _) = live.find(&name).context("the workspace is live")?;
        ensure!(spec.revision.to_string() == head, "{name} is at {}", spec.revision);
    }
    engine.stop().await?;
    Ok((percentile(&mut times, 50.0), percentile(&mut times, 100.0)))
}

fn repository(workspaces: usize) -> Repo {
    fixture::workspaces(workspaces, |repo, number| {
        for file in 0..FILES / 2 {
            repo.write(&format!("w{number}/flows/f{file}.yaml"), format!("run: '{file}'\n"));
            let library = format!("fn value() {{ {file} }}\n");
            repo.write(&format!("w{number}/libraries/l{file}.rhai"), library);
        }
    })
}

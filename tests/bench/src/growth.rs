//! How the runner slows down with what it has: runs that have ended, and workspaces.

use std::path::Path;
use std::time::Instant;

use anyhow::{Context as _, Result};
use signalbox_core::run::State;
use signalbox_engine::Handle;
use signalbox_store::contract::RunFilter;

use crate::report::{Report, percentile};
use crate::{fixture, in_process};

/// Runs of a measurement, 100 a second.
const RUNS: usize = 500;

/// Ended runs that the database has, in steps.
pub(crate) const HISTORY: [u64; 3] = [0, 1_000_000, 10_000_000];
/// A hundredth, for a quick look.
pub(crate) const QUICK_HISTORY: [u64; 3] = [0, 10_000, 100_000];

/// Latency, throughput, lists and the start beside a history of ended runs.
pub(crate) async fn history(report: &mut Report, binary: &Path, steps: [u64; 3]) -> Result<()> {
    let repo = fixture::repository();
    let data = tempfile::tempdir()?;
    let engine = fixture::engine(&repo.path(), data.path(), binary).await?;
    in_process::one(&engine.handle(), "bench/one").await?;
    engine.stop().await?;
    let mut have = 1;
    for wanted in steps {
        copy_last_run(data.path(), wanted.saturating_sub(have))?;
        have = have.max(wanted);
        let started = Instant::now();
        let engine = fixture::start(&repo.path(), data.path(), binary).await?;
        let start = started.elapsed().as_secs_f64() * 1e3;
        let handle = engine.handle();
        in_process::one(&handle, "bench/one").await?;
        let of = format!("beside {wanted} ended runs:");
        report.add(&format!("{of} start"), start, "ms");
        let mut times = in_process::paced(&handle, |_| "bench/one".to_owned(), RUNS).await?;
        report.add(&format!("{of} one step at 100/s, p50"), percentile(&mut times, 50.0), "ms");
        report.add(&format!("{of} one step at 100/s, p99"), percentile(&mut times, 99.0), "ms");
        let rate = in_process::throughput(&handle, "bench/one", 30_000).await?;
        report.add(&format!("{of} one step, in process"), rate, "runs/s");
        have += 30_000 + u64::try_from(RUNS)? + 1;
        lists(report, &handle, &of).await?;
        engine.stop().await?;
        let size = std::fs::metadata(database(data.path())?)?.len() / (1 << 20);
        #[expect(clippy::cast_precision_loss, reason = "MiB")]
        report.add(&format!("{of} size of the database"), size as f64, "MiB");
    }
    Ok(())
}

/// The newest page of a list, the same of failed runs, of which there are none, and the oldest run.
async fn lists(report: &mut Report, handle: &Handle, of: &str) -> Result<()> {
    for (name, state) in [("newest 50 runs", None), ("newest failed runs", Some(State::Failed))] {
        let mut times = Vec::new();
        for _ in 0..20 {
            let filter = RunFilter { state, limit: 50, ..RunFilter::default() };
            let started = Instant::now();
            handle.store().runs(filter).await?;
            times.push(started.elapsed().as_secs_f64() * 1e3);
        }
        report.add(&format!("{of} list of the {name}"), percentile(&mut times, 50.0), "ms");
    }
    Ok(())
}

fn database(data: &Path) -> Result<std::path::PathBuf> {
    let named = |name: &str| Some(data.join(name)).filter(|path| path.is_file());
    named("signalbox.db").context("the database")
}

/// Adds copies of the newest run, which has ended, as if so many more had been: with ids and places
/// of their own, and the counts that the store keeps.
fn copy_last_run(data: &Path, copies: u64) -> Result<()> {
    let mut database = rusqlite::Connection::open(database(data)?)?;
    let columns: Vec<String> = database
        .prepare("SELECT name FROM pragma_table_info('runs')")?
        .query_map([], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    let values: Vec<_> = columns
        .iter()
        .map(|name| match name.as_str() {
            "seq" => "last.seq + n.value".to_owned(),
            // In the order in which they were accepted, as UUIDv7 are.
            "id" => "unhex(printf('%012x70008000%012x', 1700000000000 + last.seq + n.value, last.seq + n.value))"
                .to_owned(),
            name => format!("last.{name}"),
        })
        .collect();
    let insert = format!(
        "WITH last AS MATERIALIZED (SELECT * FROM runs ORDER BY seq DESC LIMIT 1)
         INSERT INTO runs ({}) SELECT {} FROM last, (
             WITH RECURSIVE n (value) AS (SELECT 1 UNION ALL SELECT value + 1 FROM n LIMIT ?)
             SELECT value FROM n) AS n",
        columns.join(", "),
        values.join(", ")
    );
    let mut left = copies;
    while left > 0 {
        let step = left.min(500_000);
        let rows = i64::try_from(step)?;
        let write = database.transaction()?;
        write.execute(&insert, [rows])?;
        write.execute(
            "UPDATE counts SET runs = runs + ?1 WHERE (workspace, state) IN
                 (SELECT workspace, state FROM runs ORDER BY seq DESC LIMIT 1)",
            [rows],
        )?;
        write.execute(
            "UPDATE numbers SET value = (SELECT max(seq) FROM runs) WHERE name = 'seq'",
            [],
        )?;
        write.commit()?;
        left -= step;
    }
    Ok(database.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?)
}

/// Latency and the start with many workspaces, all of which have runs.
pub(crate) async fn workspaces(report: &mut Report, binary: &Path) -> Result<()> {
    for count in [1, 1_000] {
        let repo = fixture::workspaces_of_one_flow(count);
        let data = tempfile::tempdir()?;
        fixture::engine(&repo.path(), data.path(), binary).await?.stop().await?;
        let started = Instant::now();
        let engine = fixture::start(&repo.path(), data.path(), binary).await?;
        let start = started.elapsed().as_secs_f64() * 1e3;
        let handle = engine.handle();
        let of = format!("with {count} workspaces:");
        report.add(&format!("{of} start"), start, "ms");
        // Ten of them are at work; a cell for each of a thousand is another measurement.
        let flow = move |number: usize| format!("w{}/one", number % 10.min(count));
        for number in 0..10 {
            in_process::one(&handle, &flow(number)).await?;
        }
        let mut times = in_process::paced(&handle, flow, RUNS).await?;
        report.add(&format!("{of} one step at 100/s, p50"), percentile(&mut times, 50.0), "ms");
        report.add(&format!("{of} one step at 100/s, p99"), percentile(&mut times, 99.0), "ms");
        engine.stop().await?;
    }
    Ok(())
}

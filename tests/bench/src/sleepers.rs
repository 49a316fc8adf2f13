//! A hundred thousand runs that sleep: what they cost, and how late they wake.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use signalbox_core::Value;
use signalbox_core::clock::Timestamp;
use signalbox_core::run::State;
use signalbox_core::value::decode;
use signalbox_store::Store as _;
use signalbox_store::contract::RunFilter;
use signalbox_store::sqlite::{self, SqliteStore};
use signalbox_testkit::{Launch, Serve};

use crate::process::memory;
use crate::report::{Report, per_second, percentile};
use crate::{clients, fixture};

/// Longer than a cell without work is kept.
const QUIET: Duration = Duration::from_secs(15);
/// How often it is asked whether all are asleep, or awake.
const PERIOD: Duration = Duration::from_millis(200);
/// All must be asleep, or awake, within this.
const PATIENCE: Duration = Duration::from_mins(5);
/// How many are due in a second.
const PER_SECOND: u32 = 1_000;

/// How many there are.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scale {
    /// Those that are not due while they are watched.
    pub(crate) asleep: usize,
    /// Those whose waking is watched.
    pub(crate) due: usize,
}

impl Scale {
    /// As the design has it.
    pub(crate) const FULL: Self = Self { asleep: 80_000, due: 20_000 };
    /// A tenth, for a quick look.
    pub(crate) const QUICK: Self = Self { asleep: 8_000, due: 2_000 };
}

pub(crate) async fn measure(report: &mut Report, binary: &Path, scale: Scale) -> Result<()> {
    let repo = fixture::repository();
    let (launch, mut serve) = Serve::start(binary, &repo.path());
    serve.client().post("/api/v1/sync", &serde_json::json!({ "wait": 30 })).expect(200);
    serve.terminate();
    let (mut serve, none) = quiet(&launch).await?;
    let all = scale.asleep + scale.due;
    clients::start(serve.url(), "one", all, |_| r#"{"x":41}"#.to_owned()).await?;
    tokio::time::sleep(QUIET).await;
    let worked = memory(serve.pid())?;
    let started = Instant::now();
    let day = fixture::now().plus(Duration::from_hours(24));
    sleep(&serve, scale.asleep, move |_| day).await?;
    let each = started.elapsed() / u32::try_from(scale.asleep)?;
    // Those that are to be watched must be asleep, and memory be measured twice, before they wake.
    let until_asleep = each * u32::try_from(scale.due)? * 3;
    let first = fixture::now().plus(until_asleep + QUIET * 2 + Duration::from_secs(10));
    let moment = move |number| first.plus(Duration::from_secs(1) / PER_SECOND * at(number));
    sleep(&serve, scale.due, moment).await?;
    let rate = per_second(all, started);
    report.add(&format!("{all} runs, accepted over HTTP until asleep"), rate, "runs/s");
    tokio::time::sleep(QUIET).await;
    let same = memory(serve.pid())? - worked;
    serve.terminate();
    let (mut serve, again) = quiet(&launch).await?;
    let again = again - none;
    let name = format!("{all} sleeping runs, memory more than none");
    report.add_beside(&name, again, "MiB", "≤ 50 MB", "");
    let name = "in the process that put them to sleep, more than as many runs that have ended";
    report.add_beside(name, same, "MiB", "≤ 50 MB", "");
    ensure!(fixture::now() < first, "the machine is too slow: the first has to wake already");
    until_suspended(&serve, scale.asleep).await?;
    serve.terminate();
    let mut late = lateness(&launch, scale.due).await?;
    let p99 = percentile(&mut late, 99.0);
    let name = format!("woken at {PER_SECOND}/s, from the moment to the end of the run, late p50");
    report.add(&name, percentile(&mut late, 50.0), "ms");
    report.add_beside("the same, late p99", p99, "ms", "≤ 50 ms", "");
    Ok(())
}

fn at(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// A runner that was started and has had nothing to do for a while, and its memory.
async fn quiet(launch: &Launch) -> Result<(Serve, f64)> {
    let serve = launch.start();
    tokio::time::sleep(QUIET).await;
    let memory = memory(serve.pid())?;
    Ok((serve, memory))
}

/// Starts runs that sleep until the moments of their numbers, and waits until all do.
async fn sleep(
    serve: &Serve,
    runs: usize,
    moment: impl Fn(usize) -> Timestamp + Send + Sync + 'static,
) -> Result<()> {
    let before = suspended(serve)?;
    let inputs = move |number| {
        let until = moment(number);
        format!(r#"{{"at":"{until}","micros":{}}}"#, until.0)
    };
    clients::start(serve.url(), "sleeper", runs, inputs).await?;
    until_suspended(serve, before + runs).await
}

async fn until_suspended(serve: &Serve, runs: usize) -> Result<()> {
    let started = Instant::now();
    while suspended(serve)? != runs {
        ensure!(
            started.elapsed() < PATIENCE,
            "{} runs are suspended, not {runs}",
            suspended(serve)?
        );
        tokio::time::sleep(PERIOD).await;
    }
    Ok(())
}

fn suspended(serve: &Serve) -> Result<usize> {
    let workspace = serve.client().get("/api/v1/workspaces/bench").expect(200);
    let runs = &workspace["counts"]["runs"];
    Ok(usize::try_from(runs["suspended"].as_u64().unwrap_or(0))?)
}

/// How much later than at their moments runs have ended, in milliseconds.
async fn lateness(launch: &Launch, expected: usize) -> Result<Vec<f64>> {
    let store = SqliteStore::open(&launch.data(), sqlite::Options { clock: fixture::clock() })?;
    let mut late = Vec::new();
    let mut cursor = None;
    loop {
        let (flow, state) = (Some("sleeper".parse()?), Some(State::Succeeded));
        let filter = RunFilter { flow, state, limit: 1_000, cursor, ..RunFilter::default() };
        let page = store.runs(filter).await?;
        for run in page.items {
            let view = store.run(&run.id).await?;
            let Value::Map(inputs) = decode(&view.inputs)? else { continue };
            if let (Some(Value::Int(moment)), Some(ended)) = (inputs.get("micros"), run.ended_at) {
                late.push(ended.since(Timestamp(*moment)).as_secs_f64() * 1e3);
            }
        }
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    store.close().await?;
    ensure!(late.len() == expected, "{} runs have woken, not {expected}", late.len());
    Ok(late)
}

//! The repository whose flows are measured.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use signalbox_core::clock::{Clock, Timestamp};
use signalbox_core::isolation::Level;
use signalbox_engine::{Engine, Options};
use signalbox_store::sqlite::{self, SqliteStore};
use signalbox_sync::hints::HintKind;
use signalbox_testkit::Repo;

/// Fibonacci numbers, the slow way.
pub(crate) const FIB: &str = "fn fib(n) { if n < 2 { n } else { fib(n - 1) + fib(n - 2) } }";

/// Branches of a fan-out.
const BRANCHES: usize = 100;

/// A repository with the flows that are measured, in the workspace `bench`.
pub(crate) fn repository() -> Repo {
    let repo = Repo::new();
    repo.write(
        "signalbox.yaml",
        "version: 1\nworkspaces:\n  bench:\n    kind: platform\n    path: bench\n",
    );
    repo.write("bench/flows/one.yaml", "run: inputs.x + 1\n");
    repo.write(
        "bench/flows/three.yaml",
        "steps:\n  - { id: a, run: inputs.x + 1 }\n  - { id: b, run: steps.a + 1 }\n  - { id: c, run: steps.b + 1 }\n",
    );
    let hundred = steps(100, |n| format!("run: inputs.x + {n}"));
    repo.write("bench/flows/hundred.yaml", format!("steps:\n{hundred}"));
    repo.write("bench/libraries/fib.rhai", FIB);
    let forty = steps(40, |_| "script: scripts/fib.rhai".to_owned());
    repo.write("bench/scripts/fib.rhai", format!("{FIB}\nfn main(inputs) {{ fib(10) }}\n"));
    repo.write("bench/flows/fib.yaml", format!("steps:\n{forty}"));
    fan_out(&repo);
    repo.write("bench/flows/sleeper.yaml", "run: sleep_until(inputs.at)\n");
    repo.commit("flows to measure");
    repo
}

/// A repository of so many workspaces, `w0` and on, with what is written into each.
pub(crate) fn workspaces(count: usize, fill: impl Fn(&Repo, usize)) -> Repo {
    let repo = Repo::new();
    let entry = |number| {
        let kind = if number == 0 { "platform" } else { "domain" };
        format!("  w{number}: {{ kind: {kind}, path: w{number} }}\n")
    };
    let entries: String = (0..count).map(entry).collect();
    repo.write("signalbox.yaml", format!("version: 1\nworkspaces:\n{entries}"));
    (0..count).for_each(|number| fill(&repo, number));
    repo.commit("many workspaces");
    repo
}

/// The same with the flow `one` of one step in each.
pub(crate) fn workspaces_of_one_flow(count: usize) -> Repo {
    workspaces(count, |repo, number| {
        repo.write(&format!("w{number}/flows/one.yaml"), "run: inputs.x + 1\n");
    })
}

/// Flows of 100 branches, eight of them at once, each of which adds to a value of the workspace's
/// state: a durable change in a commit that only others of its eight share.
fn fan_out(repo: &Repo) {
    let items: Vec<_> = (0..BRANCHES).map(|n| n.to_string()).collect();
    let items = items.join(", ");
    repo.write(
        "bench/flows/foreach.yaml",
        format!(
            "steps:\n  - id: branches\n    foreach: '[{items}]'\n    parallel: 8\n    \
             run: state::add(`foreach-${{item}}`, 1)\n"
        ),
    );
    let call = format!("parallel([{items}].map(|n| || state::add(`parallel-${{n}}`, 1)))");
    repo.write("bench/flows/parallel.rhai", format!("fn main(inputs) {{ {call} }}\n"));
}

fn steps(count: usize, action: impl Fn(usize) -> String) -> String {
    let lines: Vec<_> = (0..count).map(|n| format!("  - {{ id: s{n}, {} }}", action(n))).collect();
    lines.join("\n")
}

#[derive(Debug)]
struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        Timestamp(i64::try_from(since.unwrap_or_default().as_micros()).unwrap_or(i64::MAX))
    }
}

/// The clock of this machine.
pub(crate) fn clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock)
}

/// The present of this machine.
pub(crate) fn now() -> Timestamp {
    SystemClock.now()
}

/// An engine in this process over a repository, with everything in it live.
pub(crate) async fn engine(repo: &Path, data: &Path, binary: &Path) -> Result<Engine> {
    let engine = start(repo, data, binary).await?;
    let report = engine.handle().sync(HintKind::Cli, Some(Duration::from_mins(2))).await?;
    let report = report.context("the first sync takes too long")?;
    ensure!(report.is_good(), "the repository to measure is not live: {report:?}");
    Ok(engine)
}

/// An engine in this process over a repository, with what is live in its data.
pub(crate) async fn start(repo: &Path, data: &Path, binary: &Path) -> Result<Engine> {
    let clock = clock();
    let options = sqlite::Options { clock: Arc::clone(&clock) };
    let store = Arc::new(SqliteStore::open(data, options)?);
    let location = signalbox_sync::Location::parse(&repo.to_string_lossy())?;
    let source = Arc::new(signalbox_sync::Source::open(&location, None, "")?);
    Ok(Engine::start(Options {
        source,
        source_name: "bench".to_owned(),
        manifest: None,
        data: data.to_path_buf(),
        store,
        clock,
        cell: (binary.to_path_buf(), vec!["__cell".to_owned()]),
        poll: Duration::from_hours(1),
        isolation: Level::L1,
        grace: Duration::from_secs(10),
        own_ports: Vec::new(),
    })
    .await?)
}

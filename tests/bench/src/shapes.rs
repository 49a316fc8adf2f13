//! The shapes that peers are measured by, over HTTP against the real binary: `docs/performance.md`
//! sets them side by side.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use signalbox_testkit::{Repo, Serve};

use crate::clients::{self, Client};
use crate::report::{Report, per_second, percentile};
use crate::{fixture, raw};

/// Runs of a burst.
const BURST: usize = 1_000;
/// fib(30) in the languages that others run, each as a program that prints its milliseconds.
const OTHERS: [(&str, &str, &str); 2] = [
    (
        "python3",
        "-c",
        "import time\ndef fib(n): return n if n < 2 else fib(n-1) + fib(n-2)\n\
         t = time.perf_counter(); fib(30); print((time.perf_counter() - t) * 1e3)",
    ),
    (
        "node",
        "-e",
        "const fib = n => n < 2 ? n : fib(n-1) + fib(n-2); fib(20);\n\
         const t = performance.now(); fib(30); console.log(performance.now() - t)",
    ),
];

pub(crate) async fn measure(report: &mut Report, binary: &Path) -> Result<()> {
    let repo = fixture::repository();
    more(&repo);
    let (_launch, serve) = Serve::start(binary, &repo.path());
    serve.client().post("/api/v1/sync", &serde_json::json!({ "wait": 30 })).expect(200);
    for (flow, runs, name) in [
        ("one", 300, "trigger → done over HTTP, one step"),
        ("three", 300, "trigger → done over HTTP, three steps"),
        ("fib", 50, "trigger → done over HTTP, 40 × fib(10)"),
        ("fib30", 5, "trigger → done over HTTP, 10 × fib(30)"),
    ] {
        let mut times = one_by_one(&serve, flow, runs).await?;
        report.add(&format!("{name}, median"), percentile(&mut times, 50.0), "ms");
        report.add(&format!("{name}, fastest"), percentile(&mut times, 0.0), "ms");
        report.add(&format!("{name}, slowest"), percentile(&mut times, 100.0), "ms");
    }
    burst(report, &serve).await?;
    for (program, flag, text) in OTHERS {
        let Ok(output) = Command::new(program).args([flag, text]).output() else { continue };
        if let Ok(took) = String::from_utf8_lossy(&output.stdout).trim().parse() {
            report.add(&format!("raw: fib(30) in {program}, in process"), took, "ms");
        }
    }
    rhai(report)
}

/// Flows besides those of the fixture.
fn more(repo: &Repo) {
    let steps: Vec<_> =
        (0..10).map(|n| format!("  - {{ id: s{n}, script: scripts/fib30.rhai }}")).collect();
    repo.write("bench/flows/fib30.yaml", format!("steps:\n{}\n", steps.join("\n")));
    let script = format!("{}\nfn main(inputs) {{ fib(30) }}\n", fixture::FIB);
    repo.write("bench/scripts/fib30.rhai", script);
    repo.write(
        "signalbox.yaml",
        "version: 1\nworkspaces:\n  bench:\n    kind: platform\n    path: bench\n    \
         grants: { limits: { operations: 1000000000 } }\n",
    );
    repo.commit("flows of other runners");
}

/// Milliseconds of each of so many runs over one connection, from the request to its answer.
async fn one_by_one(serve: &Serve, flow: &str, runs: usize) -> Result<Vec<f64>> {
    let mut client = Client::connect(serve.url()).await?;
    let path = format!("/api/v1/workspaces/bench/flows/{flow}/runs?wait=60");
    let mut times = Vec::new();
    for run in 0..=runs {
        let started = Instant::now();
        let (status, answer) = client.post(&path, r#"{"inputs":{"x":41}}"#).await?;
        ensure!(status == 200 && answer.contains(r#""state":"succeeded""#), "{answer}");
        // The first brings its cell with it.
        if run > 0 {
            times.push(started.elapsed().as_secs_f64() * 1e3);
        }
    }
    Ok(times)
}

/// A thousand runs at once: how many a second, from the first request until the last has ended.
async fn burst(report: &mut Report, serve: &Serve) -> Result<()> {
    let ended = || -> Result<u64> {
        let workspace = serve.client().get("/api/v1/workspaces/bench").expect(200);
        workspace["counts"]["runs"]["succeeded"].as_u64().context("a count")
    };
    let mut rates = Vec::new();
    for _ in 0..5 {
        let before = ended()?;
        let started = Instant::now();
        clients::start(serve.url(), "one", BURST, |_| r#"{"x":41}"#.to_owned()).await?;
        while ended()? < before + u64::try_from(BURST)? {
            tokio::task::yield_now().await;
        }
        rates.push(per_second(BURST, started));
    }
    let rate = percentile(&mut rates, 50.0);
    report.add("burst of 1,000 over HTTP, until the last has ended", rate, "runs/s");
    Ok(())
}

/// fib(30) in the interpreter alone.
fn rhai(report: &mut Report) -> Result<()> {
    let mut engine = rhai::Engine::new();
    engine.set_max_call_levels(64);
    let ast = engine.compile(fixture::FIB)?;
    let started = Instant::now();
    raw::fib(&engine, &ast, 30)?;
    report.add("raw: fib(30) in Rhai, in process", started.elapsed().as_secs_f64() * 1e3, "ms");
    Ok(())
}

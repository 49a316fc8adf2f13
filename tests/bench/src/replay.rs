//! A run with a long journal whose runner is killed: how soon it goes on where it was.

use std::path::Path;
use std::sync::Mutex;
use std::sync::mpsc;
use std::time::Instant;

use signalbox_testkit::{HttpStub, Launch, Repo, Response};

use crate::raw;
use crate::report::{Report, percentile};

/// How often the runner is killed. A run that its runner died of more than five times fails.
const KILLS: usize = 3;

/// What is in the journal when the runner is killed: 9,999 effects, and the 10,000th under way.
const SCRIPT: &str = r"
for n in 0..2_999 { random(); }
for n in 0..2_000 { state::add(`sum-${n % 100}`, 1); }
for n in 0..5_000 { state::get(`sum-${n % 100}`); }
";

/// From the start of the process that follows a killed one to the moment at which the run goes on: a
/// server that it asked before, and that never answers, is asked again.
pub(crate) fn measure(report: &mut Report, binary: &Path) {
    let (open, gate) = mpsc::channel::<()>();
    let gate = Mutex::new(gate);
    let stub = HttpStub::start(move |_| {
        // Fails when the measurement is over.
        drop(gate.lock().map(|gate| gate.recv()));
        Response::status(200)
    });
    let repo = repository(&stub.url());
    let launch = Launch::new(binary, repo.path());
    let mut serve = launch.start();
    serve.client().post("/api/v1/sync", &serde_json::json!({ "wait": 30 })).expect(200);
    let flow = "/api/v1/workspaces/bench/flows/long/runs";
    serve.client().post(flow, &serde_json::json!({ "inputs": {} })).expect(202);
    stub.wait_for(1);
    let (mut ready, mut goes_on) = (Vec::new(), Vec::new());
    for kills in 1..=KILLS {
        serve.kill9();
        let started = Instant::now();
        serve = launch.start();
        ready.push(started.elapsed().as_secs_f64() * 1e3);
        stub.wait_for(kills + 1);
        goes_on.push(started.elapsed().as_secs_f64() * 1e3);
    }
    drop(open);
    let median = percentile(&mut goes_on, 50.0);
    let name = "10,000 effects, from the start after a kill until the run goes on";
    report.add_beside(name, median, "ms", "≤ 1,000 ms", raw::CALLS);
    report.add("of that, until the runner is ready", percentile(&mut ready, 50.0), "ms");
}

fn repository(url: &str) -> Repo {
    let repo = Repo::new();
    repo.write(
        "signalbox.yaml",
        format!(
            "version: 1\nworkspaces:\n  bench:\n    kind: platform\n    path: bench\n    \
             grants: {{ network: [\"{url}\"] }}\n"
        ),
    );
    let ask = format!("http::get(\"{url}/\", #{{ timeout: 120 }}).status");
    repo.write("bench/flows/long.rhai", format!("fn main(inputs) {{{SCRIPT}{ask}\n}}\n"));
    repo.commit("a flow of many effects");
    repo
}

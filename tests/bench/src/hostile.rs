//! How long a quiet workspace's runs take while another's scripts try to hurt.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use signalbox_testkit::{Client, Hostile, Launch, Repo, hostile_scripts};

use crate::report::{Report, percentile};

/// Longest time that a script is waited for, in seconds.
const WAIT: u32 = 55;

/// Runs each script of the table that is evaluated, one after the other, and a quiet workspace's flow
/// again and again meanwhile.
pub(crate) fn measure(report: &mut Report, binary: &Path) -> Result<()> {
    let scripts: Vec<_> =
        hostile_scripts().into_iter().filter(|script| script.rejected().is_none()).collect();
    let repo = repository(&scripts);
    let mut serve = Launch::new(binary, repo.path()).arg("--poll").arg("1h").start();
    let client = serve.client();
    client.post("/api/v1/sync", &json!({ "wait": 30 })).expect(200);
    run(&client, "quiet/mark")?;
    let over = AtomicBool::new(false);
    let mut times = std::thread::scope(|scope| {
        let quiet = scope.spawn(|| {
            let mut times = Vec::new();
            while !over.load(Ordering::Relaxed) {
                let started = Instant::now();
                run(&client, "quiet/mark")?;
                times.push(started.elapsed().as_secs_f64() * 1e3);
            }
            anyhow::Ok(times)
        });
        let hostile = scripts.iter().try_for_each(|script| run(&client, &script.flow()).map(drop));
        over.store(true, Ordering::Relaxed);
        let times = quiet.join().ok().context("measure a quiet workspace")?;
        hostile.and(times)
    })?;
    serve.terminate();
    let (p99, slowest) = (percentile(&mut times, 99.0), percentile(&mut times, 100.0));
    report.add("another's run while scripts try to hurt, p99", p99, "ms");
    let name = "another's run while scripts try to hurt, slowest";
    report.add_beside(name, slowest, "ms", "≤ 1,000 ms", "");
    Ok(())
}

fn run(client: &Client, flow: &str) -> Result<Value> {
    let (workspace, flow) = flow.split_once('/').context("a flow has a workspace")?;
    let path = format!("/api/v1/workspaces/{workspace}/flows/{flow}/runs?wait={WAIT}");
    Ok(client.post(&path, &json!({ "inputs": {} })).expect(200))
}

fn repository(scripts: &[Hostile]) -> Repo {
    let repo = Repo::new();
    let mut root = "version: 1\nworkspaces:\n  quiet: { kind: platform, path: quiet }\n".to_owned();
    repo.write("quiet/flows/mark.rhai", "fn main(inputs) { state::add(\"marks\", 1) }\n");
    for Hostile { name, limits, files, .. } in scripts {
        let grants = format!("grants: {{ limits: {{ {limits} }} }}");
        let entry = format!("  {name}: {{ kind: domain, path: {name}, {grants} }}\n");
        root.push_str(&entry);
        repo.write(&format!("{name}/flows/hello.rhai"), "fn main(inputs) { 1 }\n");
        for (path, text) in files {
            repo.write(&format!("{name}/{path}"), text.as_str());
        }
    }
    repo.write("signalbox.yaml", root);
    repo.commit("scripts that try to hurt");
    repo
}

//! The repository with stand-ins for everything outside of it.

use std::path::Path;

use serde_json::{Value, json};
use signalbox_e2e::{Road, Runner, Scene};
use signalbox_testkit::{HttpStub, Response};

use crate::docker::Docker;
use crate::exchange::Exchange;

/// The repository, and the world around it.
pub(crate) struct Home {
    pub(crate) road: Road,
    pub(crate) docker: Docker,
    pub(crate) exchange: Exchange,
    slack: HttpStub,
    _library: HttpStub,
}

impl Home {
    /// The example as it is, but for the addresses, and for its schedules: here nothing fires by
    /// itself.
    pub(crate) fn new() -> Self {
        let (docker, exchange) = (Docker::start(), Exchange::start());
        let slack = HttpStub::start(|_| Response::text(200, "ok"));
        let library = HttpStub::start(|_| {
            Response::json(200, &json!({ "items": [{ "id": "m1", "title": "Metropolis" }] }))
        });
        let addresses = [
            ("http://127.0.0.1:18751", exchange.url()),
            ("http://127.0.0.1:18752", slack.url()),
            ("http://127.0.0.1:18753", library.url()),
            ("http://127.0.0.1:18754", docker.url()),
            ("http://127.0.0.1:18755", exchange.url()),
        ];
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/homeops");
        let mut scene = Scene::new(&[]);
        for (path, mut text) in files(&folder, &folder) {
            for (known, real) in &addresses {
                text = text.replace(known, real);
            }
            let fires =
                |line: &&str| line.starts_with("schedules:") || line.starts_with("  - { cron");
            let quiet: Vec<&str> = text.lines().filter(|line| !fires(line)).collect();
            scene = scene.file(&path, quiet.join("\n") + "\n");
        }
        Self { road: scene.road(), docker, exchange, slack, _library: library }
    }

    /// Starts its runner, with every secret set.
    pub(crate) fn start(&self) -> Runner<'_> {
        let runner = self.road.start();
        let hook = format!("{}/services/T0/B0/x", self.slack.url());
        for (workspace, name, value) in [
            ("homeops-platform", "SLACK_WEBHOOK", hook.as_str()),
            ("homeops-financial", "ALPACA_KEY", "key-of-the-account"),
            ("homeops-financial", "ALPACA_SECRET", "secret-of-the-account"),
        ] {
            runner.cli_with(&["secret", "set", name, "-w", workspace], value).ends(0);
        }
        runner
    }

    /// The texts that came to Slack.
    pub(crate) fn said(&self) -> Vec<String> {
        let text = |body: Value| body["text"].as_str().unwrap_or_default().to_owned();
        self.slack.requests().iter().map(|request| text(request.json())).collect()
    }
}

/// Runs a flow that succeeds; gives its result.
#[track_caller]
pub(crate) fn done(runner: &Runner<'_>, flow: &str, inputs: &Value) -> Value {
    let run = runner.run(flow, inputs);
    assert_eq!(run["state"], "succeeded", "{flow}: {run:#}");
    run["result"].clone()
}

fn files(root: &Path, folder: &Path) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(root, &path));
        } else {
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            found.push((name, std::fs::read_to_string(&path).unwrap()));
        }
    }
    found
}

//! The repository with stand-ins for everything outside of it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};
use signalbox_e2e::{Road, Runner, Scene, eventually};
use signalbox_testkit::{HttpStub, Response};

use crate::docker::Docker;
use crate::exchange::Exchange;

/// What the broker signs its reports with.
pub(crate) const HOOK_KEY: &str = "key-of-the-reports";

/// The repository, and the world around it.
pub(crate) struct Home {
    pub(crate) road: Road,
    pub(crate) docker: Docker,
    pub(crate) exchange: Exchange,
    slack: HttpStub,
    /// How many of the next messages Slack does not take.
    pub(crate) refusals: Arc<AtomicUsize>,
    _library: HttpStub,
}

impl Home {
    /// The example as it is, but for the addresses, and for its schedules: here nothing fires by
    /// itself.
    pub(crate) fn new() -> Self {
        let (docker, exchange) = (Docker::start(), Exchange::start());
        let refusals = Arc::new(AtomicUsize::new(0));
        let left = Arc::clone(&refusals);
        let slack = HttpStub::start(move |_| {
            let (status, said) = if take_one(&left) { (503, "try_again") } else { (200, "ok") };
            Response::text(status, said)
        });
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
        let folder = folder();
        let mut scene = Scene::new(&[]);
        for (path, mut text) in files(&folder, &folder) {
            for (known, real) in &addresses {
                text = text.replace(known, real);
            }
            let quiet: Vec<&str> = text.lines().filter(|line| !fires(line)).collect();
            scene = scene.file(&path, quiet.join("\n") + "\n");
        }
        Self { road: scene.road(), docker, exchange, slack, refusals, _library: library }
    }

    /// Starts its runner, with every secret set.
    pub(crate) fn start(&self) -> Runner<'_> {
        let runner = self.road.start();
        let hook = format!("{}/services/T0/B0/x", self.slack.url());
        for (workspace, name, value) in [
            ("homeops-platform", "SLACK_WEBHOOK", hook.as_str()),
            ("homeops-financial", "ALPACA_KEY", "key-of-the-account"),
            ("homeops-financial", "ALPACA_SECRET", "secret-of-the-account"),
            ("homeops-financial", "BROKER_HOOK_KEY", HOOK_KEY),
        ] {
            runner.cli_with(&["secret", "set", name, "-w", workspace], value).ends(0);
        }
        runner
    }

    /// Waits until a text came to Slack that has something in it.
    #[track_caller]
    pub(crate) fn hears(&self, text: &str) {
        eventually(&format!("Slack has `{text}`"), || {
            self.said().iter().any(|said| said.contains(text)).then_some(())
        });
    }

    /// The texts that came to Slack, those that it did not take included.
    pub(crate) fn said(&self) -> Vec<String> {
        let text = |body: Value| body["text"].as_str().unwrap_or_default().to_owned();
        self.slack.requests().iter().map(|request| text(request.json())).collect()
    }
}

/// A file of the example, as it stands there.
pub(crate) fn example(path: &str) -> String {
    std::fs::read_to_string(folder().join(path)).unwrap()
}

/// The names of all flows of the example, in full.
pub(crate) fn flows() -> Vec<String> {
    let folder = folder();
    let workspaces = [
        ("homeops-platform", "windmill/flows/"),
        ("homeops-financial", "subprojects/financial-tracker/windmill/atom-workflows/"),
        ("homeops-media", "subprojects/media-stack/windmill/flows/"),
    ];
    let all = files(&folder, &folder);
    let named = all.iter().filter_map(|(path, _)| {
        let (workspace, flow) = workspaces
            .iter()
            .find_map(|(workspace, below)| Some((workspace, path.strip_prefix(below)?)))?;
        Some(format!("{workspace}/{}", flow.rsplit_once('.')?.0))
    });
    named.collect()
}

/// The runs of a flow, once there are so many that have ended, newest first.
#[track_caller]
pub(crate) fn ended(runner: &Runner<'_>, flow: &str, count: usize) -> Vec<Value> {
    let (workspace, name) = flow.split_once('/').unwrap();
    let path = format!("/runs?workspace={workspace}&flow={name}");
    eventually(&format!("{count} runs of {flow} have ended"), || {
        let runs = runner.list(&path);
        let done = |run: &&Value| run["ended_at"].is_string();
        (runs.iter().filter(done).count() >= count).then_some(runs)
    })
}

/// Runs a flow that succeeds; gives its result.
#[track_caller]
pub(crate) fn done(runner: &Runner<'_>, flow: &str, inputs: &Value) -> Value {
    let run = runner.run(flow, inputs);
    assert_eq!(run["state"], "succeeded", "{flow}: {run:#}");
    run["result"].clone()
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/homeops")
}

/// Whether a line of a flow is one of its schedules.
fn fires(line: &str) -> bool {
    line.starts_with("schedules:")
        || line.starts_with("  - { cron")
        || line.starts_with("  - { name: monday")
}

fn take_one(left: &AtomicUsize) -> bool {
    let fewer = |left: usize| left.checked_sub(1);
    left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, fewer).is_ok()
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

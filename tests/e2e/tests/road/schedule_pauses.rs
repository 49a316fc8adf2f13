//! Pausing schedules: nothing fires, nothing is owed, and it outlives the runner.

use serde_json::{Value, json};
use signalbox_e2e::{Road, Runner, Scene, eventually};

fn road() -> Road {
    let tick = "schedules: [{ cron: \"* * * * * *\" }]\nrun: '1'\n";
    let two = "schedules:
  - { name: first, cron: \"* * * * * *\" }
  - { name: second, cron: \"*/2 * * * * *\" }
run: '1'
";
    Scene::platform().file("ops/flows/tick.yaml", tick).file("ops/flows/two.yaml", two).road()
}

fn runs(runner: &Runner<'_>, flow: &str) -> Vec<Value> {
    runner.list(&format!("/runs?flow={flow}&limit=1000"))
}

/// Waits until a flow has more runs than it has now.
fn wait_for_more(runner: &Runner<'_>, flow: &str) {
    let before = runs(runner, flow).len();
    eventually("it fires again", || (runs(runner, flow).len() > before).then_some(()));
}

fn slots(runs: &[Value]) -> Vec<&str> {
    runs.iter().map(|run| run["trigger"]["slot"].as_str().unwrap()).collect()
}

#[test]
fn a_paused_schedule_fires_nothing_outlives_the_runner_and_owes_nothing() {
    let road = road();
    let runner = road.start();
    wait_for_more(&runner, "tick");
    runner.cli(&["schedule", "pause", "ops/tick"]).ends(0);
    let paused = runs(&runner, "tick").len();
    let said = runner.cli(&["schedule", "pause", "ops/tick"]).ends(0);
    assert!(said.stderr.contains("already"), "{}", said.stderr);
    wait_for_more(&runner, "two");
    wait_for_more(&runner, "two");
    runner.kill9();
    let runner = road.start();
    wait_for_more(&runner, "two");
    assert_eq!(runs(&runner, "tick").len(), paused, "nothing fires");
    let schedule = runner.list("/schedules").into_iter().find(|one| one["flow"] == "tick").unwrap();
    assert_eq!((schedule["paused_at"].is_string(), &schedule["next_at"]), (true, &Value::Null));
    let next = runner.list("/schedules/next?limit=50");
    assert!(next.iter().all(|slot| slot["flow"] != "tick"));
    let before = runner.run("ops/hello", &json!({}))["queued_at"].as_str().unwrap().to_owned();
    let answer = runner.cli(&["schedule", "resume", "ops/tick", "--json"]).ends(0).json();
    assert_eq!(answer, json!({ "paused": false, "changed": true }));
    wait_for_more(&runner, "tick");
    let all = runs(&runner, "tick");
    // Newest first. Between the last slot before the pause and its end there is none.
    let fresh = &slots(&all)[..all.len() - paused];
    let earliest = fresh.last().unwrap();
    assert!(**earliest > *before, "{earliest} was owed from before {before}");
}

#[test]
fn a_paused_workspace_fires_nothing_and_runs_what_is_asked_for() {
    let road = road();
    let runner = road.start();
    wait_for_more(&runner, "tick");
    runner.cli(&["workspace", "pause", "ops"]).ends(0);
    let before = runner.list("/runs?limit=1000").len();
    let status = runner.cli(&["status", "--json"]).ends(0).json();
    assert!(status["workspaces"][0]["paused_at"].is_string(), "{status:#}");
    assert!(runner.cli(&["status"]).ends(0).stdout.contains("paused"));
    assert_eq!(runner.list("/schedules/next"), [] as [Value; 0]);
    // A push changes nothing of it.
    road.push_script("ops/flows/other.rhai", "1");
    assert_eq!(runner.sync_of("ops")["outcome"], "deployed");
    assert_eq!(runner.run("ops/other", &json!({}))["state"], "succeeded");
    runner.kill9();
    let runner = road.start();
    assert_eq!(runner.run("ops/other", &json!({}))["state"], "succeeded");
    assert_eq!(runner.list("/runs?limit=1000").len(), before + 2);
    runner.cli(&["workspace", "resume", "ops"]).ends(0);
    wait_for_more(&runner, "tick");
}

#[test]
fn what_is_meant_must_be_said() {
    let road = road();
    let runner = road.start();
    let said = runner.cli(&["schedule", "pause", "ops/two"]).ends(1);
    assert!(said.stderr.contains("first, second"), "{}", said.stderr);
    let said = runner.cli(&["schedule", "pause", "ops/two", "secnd"]).ends(1);
    assert!(said.stderr.contains("did you mean `second`?"), "{}", said.stderr);
    runner.cli(&["schedule", "pause", "ops/two", "second"]).ends(0);
    let list = runner.cli(&["schedule", "list", "--json"]).ends(0).json();
    let paused: Vec<_> = list
        .as_array()
        .unwrap()
        .iter()
        .filter(|one| one["paused_at"].is_string())
        .map(|one| one["id"].as_str().unwrap())
        .collect();
    assert_eq!(paused, ["second"]);
    let said = runner.cli(&["workspace", "pause", "nobody"]).ends(1);
    assert!(said.stderr.contains("SB0310"), "{}", said.stderr);
}

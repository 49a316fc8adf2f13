//! Story 2: the commands that start, show and end runs.

use serde_json::json;
use signalbox_e2e::{Gate, Scene};

const ADD: &str = "\
inputs:
  a: { type: integer, required: true }
  b: { type: integer, default: 1 }
output: { sum: \"${steps.add.sum}\" }
steps:
  - id: add
    run: |
      log::info(`adding ${inputs.a} and ${inputs.b}`);
      #{ sum: inputs.a + inputs.b }
";

fn scene() -> Scene {
    Scene::pair("", "")
        .file("shop/flows/sums/add.yaml", ADD)
        .script("shop/flows/fail.rhai", "let x = 1;\nthrow \"no bread today\";")
}

#[test]
fn run_waits_for_the_end_and_prints_the_run() {
    let road = scene().road();
    let runner = road.start();
    let said = runner.cli(&["run", "shop/sums/add", "--input", "a=2", "--wait", "--json"]).ends(0);
    let run = said.json();
    assert_eq!(run["state"], "succeeded");
    assert_eq!(run["result"], json!({ "sum": 3 }));
    assert_eq!(run["inputs"], json!({ "a": 2, "b": 1 }));
    assert_eq!(run["trigger"]["kind"], "api");
}

#[test]
fn a_run_as_json_has_every_field_of_the_contract() {
    let road = scene().road();
    let runner = road.start();
    let run = runner.run("shop/sums/add", &json!({ "a": 2 }));
    let fields = run.as_object().unwrap();
    for field in [
        "id",
        "workspace",
        "flow",
        "revision",
        "tree",
        "trigger",
        "state",
        "reason",
        "attempt",
        "inputs",
        "result",
        "error",
        "parent_run",
        "caller",
        "isolation",
        "queued_at",
        "started_at",
        "ended_at",
        "duration_ms",
        "steps",
    ] {
        assert!(fields.contains_key(field), "{field} is missing in {run:#}");
    }
    assert_eq!(run["revision"], road.repo.git(&["rev-parse", "HEAD"]).as_str());
    assert_eq!(run["tree"], road.repo.git(&["rev-parse", "HEAD:shop"]).as_str());
    assert!(run["isolation"].as_str().unwrap().starts_with('L'), "{run:#}");
    // RFC 3339 UTC with microseconds.
    let queued = run["queued_at"].as_str().unwrap();
    assert_eq!((queued.len(), queued.ends_with('Z')), (27, true), "{queued}");
}

#[test]
fn a_run_shows_its_steps_and_one_is_enough() {
    let two = "steps:\n  - { id: one, run: 1 + 1 }\n  - { id: two, run: steps.one + 1 }\n";
    let road = scene().file("shop/flows/two.yaml", two).road();
    let runner = road.start();
    let steps = |flow: &str| {
        let run = runner.run(flow, &json!({ "a": 2 }));
        let fields = |step: &serde_json::Value| format!("{} {}", step["id"], step["state"]);
        run["steps"].as_array().unwrap().iter().map(fields).collect::<Vec<_>>()
    };
    assert_eq!(steps("shop/two"), [r#""one" "succeeded""#, r#""two" "succeeded""#]);
    assert_eq!(steps("shop/sums/add"), [r#""add" "succeeded""#]);
}

#[test]
fn a_failed_run_ends_the_command_with_1_and_says_where() {
    let road = scene().road();
    let runner = road.start();
    let run = runner.cli(&["run", "shop/fail", "--wait", "--json"]).ends(1).json();
    assert_eq!((&run["state"], &run["reason"]), (&json!("failed"), &json!("script_error")));
    assert_eq!(run["error"]["code"], "SB0501");
    assert_eq!(run["error"]["line"], 3, "{run:#}");
    assert!(run["error"]["file"].as_str().unwrap().ends_with("flows/fail.rhai"), "{run:#}");
    assert!(run["error"]["message"].as_str().unwrap().contains("no bread today"), "{run:#}");
}

#[test]
fn a_failed_effect_is_told_with_the_line_that_asked_for_it() {
    let helper = "fn ask() {
    state::set(\"a\", 1);
    http::get(\"http://example.com/\");
}

fn main(inputs) {
    if inputs.deep { ask(); }
    state::set(\"b\", 1);
    http::get(\"http://example.com/\");
}
";
    let road = scene().file("shop/flows/ask.rhai", helper).road();
    let runner = road.start();
    for (deep, line) in [(true, 3), (false, 9)] {
        let error = runner.run("shop/ask", &json!({ "deep": deep }))["error"].clone();
        assert_eq!((&error["code"], &error["line"]), (&json!("SB0506"), &json!(line)), "{error}");
    }
}

#[test]
fn run_without_wait_prints_the_id_alone() {
    let road = scene().road();
    let runner = road.start();
    let said = runner.cli(&["run", "shop/sums/add", "--inputs", "{\"a\": 5}"]).ends(0);
    let run = runner.ended(said.stdout.trim());
    assert_eq!(run["result"]["sum"], 6);
}

#[test]
fn inputs_that_do_not_fit_are_refused_by_name() {
    let road = scene().road();
    let runner = road.start();
    let said = runner.cli(&["run", "shop/sums/add", "--input", "c=2", "--wait"]).ends(1);
    for part in ["SB0602", "a", "c"] {
        assert!(said.stderr.contains(part), "{part} is missing in {}", said.stderr);
    }
    let said = runner.cli(&["run", "shop/sums/ad", "--wait"]).ends(1);
    assert!(said.stderr.contains("SB0309"), "{}", said.stderr);
    assert_eq!(runner.list("/runs"), Vec::<serde_json::Value>::new());
}

#[test]
fn show_and_logs_tell_a_run() {
    let road = scene().road();
    let runner = road.start();
    let id = runner.run("shop/sums/add", &json!({ "a": 2 }))["id"].as_str().unwrap().to_owned();
    let shown = runner.cli(&["show", &id]).ends(0);
    for part in [&id, "shop/sums/add", "succeeded", "sum"] {
        assert!(shown.stdout.contains(part), "{part} is missing in {}", shown.stdout);
    }
    assert_eq!(runner.cli(&["show", &id, "--json"]).ends(0).json()["id"], id.as_str());
    for arguments in [&["logs", &id][..], &["logs", &id, "-f"]] {
        let said = runner.cli(arguments).ends(0);
        assert!(said.stdout.contains("adding 2 and 1"), "{arguments:?}: {}", said.stdout);
    }
}

#[test]
fn logs_are_followed_while_the_run_goes_on() {
    let gate = Gate::closed();
    let body = format!("log::info(\"before\");\n{};\nlog::info(\"after\");", gate.ask());
    let road = Scene::pair("", &gate.grant()).script("shop/flows/slow.rhai", &body).road();
    let runner = road.start();
    let id = runner.accept("shop/slow", &json!({}));
    gate.wait_for(1);
    std::thread::scope(|scope| {
        let following = scope.spawn(|| runner.cli(&["logs", &id, "-f"]));
        // Written before the request went out, so it is there to be read.
        let lines = runner.list(&format!("/runs/{id}/logs"));
        assert_eq!(lines[0]["message"], "before", "{lines:?}");
        gate.open();
        let said = following.join().unwrap().ends(0);
        let (before, after) = (said.stdout.find("before"), said.stdout.find("after"));
        assert!(before.is_some() && before < after, "{}", said.stdout);
    });
}

#[test]
fn cancel_ends_a_run_that_waits_for_the_world() {
    let gate = Gate::closed();
    let body = format!("{};\nstate::set(\"after\", true);", gate.ask());
    let road = Scene::pair("", &gate.grant()).script("shop/flows/slow.rhai", &body).road();
    let runner = road.start();
    let id = runner.accept("shop/slow", &json!({}));
    gate.wait_for(1);
    runner.cli(&["cancel", &id]).ends(0);
    let run = runner.ended(&id);
    assert_eq!((&run["state"], &run["reason"]), (&json!("cancelled"), &json!("cancel_requested")));
    // What has ended cannot be cancelled again.
    let said = runner.cli(&["cancel", &id]).ends(1);
    assert!(said.stderr.contains("SB0610"), "{}", said.stderr);
}

#[test]
fn rerun_repeats_a_run_at_its_own_revision_or_the_newest() {
    let road = Scene::platform().script("ops/flows/which.rhai", "1").road();
    let runner = road.start();
    let first = runner.run("ops/which", &json!({ "x": 1 }));
    let id = first["id"].as_str().unwrap();
    road.push_script("ops/flows/which.rhai", "2");
    assert_eq!(runner.sync_of("ops")["outcome"], "deployed");
    let again = |arguments: &[&str]| {
        let said = runner.cli(&[&["rerun", id], arguments].concat()).ends(0);
        runner.ended(said.stdout.trim())
    };
    let same = again(&[]);
    assert_eq!((&same["result"], &same["inputs"]), (&json!(1), &json!({ "x": 1 })));
    assert_eq!(same["trigger"], json!({ "kind": "retry", "of": id }));
    assert_eq!(same["revision"], first["revision"]);
    assert_eq!(again(&["--newest"])["result"], 2);
}

#[test]
fn a_server_that_is_not_there_is_the_environments_fault() {
    let road = scene().road();
    let url = road.start().url().to_owned();
    let said = road.cli(&["status", "--server", &url]).ends(4);
    assert!(said.stderr.contains(&url), "{}", said.stderr);
}

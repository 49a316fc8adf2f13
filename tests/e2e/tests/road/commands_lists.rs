//! Story 2: the commands that list, explain and keep.

use serde_json::{Value, json};
use signalbox_e2e::{Road, Scene, column};

const OPS: &str = "\
title: Operations
secrets: [KEY]
exports:
  numbers.next: { flow: next, version: 1, callers: [domains] }
";

const NIGHTLY: &str = "\
summary: Runs at night
schedules: [{ cron: \"0 3 * * *\", timezone: Europe/Berlin }]
run: state::add(\"nights\", 1)
";

fn road() -> Road {
    Scene::pair("", "")
        .file("ops/workspace.yaml", OPS)
        .script("ops/flows/next.rhai", "state::add(\"next\", 1)")
        .file("ops/flows/nightly.yaml", NIGHTLY)
        .file("shop/workspace.yaml", "uses: [numbers.next@1]\n")
        .script("shop/flows/order.rhai", "broker::request(\"numbers.next\", #{})")
        .road()
}

fn array(document: &Value) -> Vec<Value> {
    document.as_array().unwrap_or_else(|| panic!("no list: {document}")).clone()
}

#[test]
fn status_tells_every_workspace_and_ends_with_0_when_all_is_well() {
    let road = road();
    let runner = road.start();
    let status = runner.cli(&["status", "--json"]).ends(0).json();
    assert_eq!(status["healthy"], true);
    let head = road.repo.git(&["rev-parse", "HEAD"]);
    for (workspace, kind) in array(&status["workspaces"]).iter().zip(["platform", "domain"]) {
        assert_eq!((&workspace["kind"], &workspace["state"]), (&json!(kind), &json!("live")));
        assert_eq!(workspace["live_revision"], head.as_str());
        assert_eq!(workspace["wanted_revision"], head.as_str());
        let last = workspace["last_deployment"]["outcome"].as_str();
        assert!(matches!(last, Some("deployed" | "unchanged")), "{workspace:#}");
    }
    assert_eq!(status["workspaces"][0]["next_fire"]["flow"], "nightly", "{status:#}");
    let said = runner.cli(&["status"]).ends(0);
    assert!(said.stdout.contains("ops") && said.stdout.contains("shop"), "{}", said.stdout);
}

#[test]
fn lists_are_json_arrays_and_empty_ones_too() {
    let road = road();
    let runner = road.start();
    let list =
        |arguments: &[&str]| array(&runner.cli(&[arguments, &["--json"]].concat()).ends(0).json());
    assert_eq!(list(&["runs"]), Vec::<Value>::new());
    assert_eq!(list(&["calls"]), Vec::<Value>::new());
    assert_eq!(column(&list(&["workspace", "list"]), "name"), ["ops", "shop"]);
    let flows = column(&list(&["flow", "list", "-w", "ops"]), "name");
    assert_eq!(flows, ["hello", "next", "nightly"]);
    assert_eq!(column(&list(&["schedule", "next", "-n", "3"]), "flow"), ["nightly"; 3]);
    assert_eq!(column(&list(&["deployments", "-w", "shop"]), "outcome"), ["deployed"]);
    runner.run("shop/hello", &json!({}));
    runner.run("shop/order", &json!({}));
    assert_eq!(column(&list(&["runs", "-w", "shop"]), "flow"), ["order", "hello"]);
    assert_eq!(column(&list(&["runs", "-f", "next"]), "state"), ["succeeded"]);
    assert_eq!(list(&["runs", "--state", "failed"]), Vec::<Value>::new());
    assert_eq!(list(&["runs", "-n", "1"]).len(), 1);
    let calls = list(&["calls"]);
    assert_eq!(column(&calls, "rule"), ["domain_uses_export"]);
    assert_eq!(calls[0]["target"]["service"], "numbers.next");
}

#[test]
fn a_call_as_json_has_every_field_of_the_contract() {
    let road = road();
    let runner = road.start();
    let run = runner.run("shop/order", &json!({}));
    let call = runner.calls_of(run["id"].as_str().unwrap()).remove(0);
    for field in ["id", "at", "decision", "rule", "caller", "target", "run", "state", "latency_ms"]
    {
        assert!(!call[field].is_null(), "{field} is missing in {call:#}");
    }
    assert_eq!(call["caller"]["workspace"], "shop");
    assert_eq!(call["caller"]["flow"], "order");
    assert_eq!(call["target"]["workspace"], "ops");
    assert_eq!(call["target"]["flow"], "next");
    assert_eq!(call["target"]["version"], 1);
    let callee = runner.show(call["run"].as_str().unwrap());
    assert_eq!(callee["parent_run"], run["id"]);
    assert_eq!(callee["caller"]["workspace"], "shop");
}

#[test]
fn schedule_explain_needs_no_runner() {
    let road = road();
    let explain =
        ["schedule", "explain", "0 7 * * 1-5", "--timezone", "America/New_York", "--json"];
    let said = road.cli(&explain).ends(0);
    assert!(said.json().is_object(), "{}", said.stdout);
    let said = road.cli(&["schedule", "explain", "every now and then"]).ends(3);
    assert!(said.stderr.contains("SB0115"), "{}", said.stderr);
    let said = road.cli(&["schedule", "explain", "0 7 * * *", "--timezone", "Mars/Base"]).ends(3);
    assert!(said.stderr.contains("SB0116"), "{}", said.stderr);
}

#[test]
fn secrets_are_set_listed_and_deleted_by_name() {
    let road = road();
    let runner = road.start();
    let list = || array(&runner.cli(&["secret", "list", "-w", "ops", "--json"]).ends(0).json());
    assert_eq!(list()[0]["set"], false);
    let said = runner.cli_with(&["secret", "set", "KEY", "-w", "ops"], "hunter2-is-long\n").ends(0);
    assert!(!format!("{said:?}").contains("hunter2"), "{said:?}");
    assert_eq!((&list()[0]["name"], &list()[0]["set"]), (&json!("KEY"), &json!(true)));
    runner.cli(&["secret", "delete", "KEY", "-w", "ops"]).ends(0);
    assert_eq!(list()[0]["set"], false);
    runner.cli(&["secret", "delete", "KEY", "-w", "ops"]).ends(1);
    runner.cli_with(&["secret", "set", "KEY", "-w", "nobody"], "x").ends(1);
}

#[test]
fn explain_knows_codes_and_completion_is_a_script() {
    let road = road();
    let page = road.cli(&["explain", "SB0103"]).ends(0);
    assert!(page.stdout.contains("SB0103") && page.stdout.lines().count() > 3, "{}", page.stdout);
    road.cli(&["explain", "SB9999"]).ends(2);
    let script = road.cli(&["completion", "bash"]).ends(0);
    assert!(script.stdout.contains("signalbox"), "{}", script.stdout);
}

#[test]
fn validate_takes_the_folder_and_a_revision() {
    let road = road();
    let (code, document) = road.validate();
    assert_eq!((code, &document["ok"]), (0, &json!(true)), "{document:#}");
    assert_eq!(column(&array(&document["workspaces"]), "name"), ["ops", "shop"]);
    // Not committed: only the folder has the fault.
    road.repo.write("shop/flows/hello.rhai", "fn main(inputs) {\n  nothing_of_the_kind()\n}\n");
    assert_eq!(road.validate().0, 3);
    let folder = road.repo.path().display().to_string();
    road.cli(&["validate", &folder, "--rev", "main"]).ends(0);
}

#[test]
fn doctor_tells_about_the_machine() {
    let road = road();
    let said = road.cli(&["doctor", "--json"]);
    assert!(matches!(said.code, 0 | 4), "{said:?}");
    assert!(said.stdout.contains("isolation"), "{}", said.stdout);
}

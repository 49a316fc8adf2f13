//! Rollback: an earlier deployment is live again, at once, and stays until somebody says otherwise.

use serde_json::json;
use signalbox_e2e::{Road, Runner, Scene, column};

/// Three deployments whose flow `which` tells their number.
fn three() -> Road {
    Scene::pair("", "").script("shop/flows/which.rhai", "1").road()
}

fn deploy(road: &Road) -> Runner<'_> {
    let runner = road.start();
    for number in ["2", "3"] {
        road.push_script("shop/flows/which.rhai", number);
        assert_eq!(runner.sync_of("shop")["outcome"], "deployed");
    }
    runner
}

#[test]
fn rollback_goes_to_the_deployment_before_and_pins_it() {
    let road = three();
    let runner = deploy(&road);
    let outcome = runner.cli(&["rollback", "-w", "shop", "--json"]).ends(0).json();
    assert_eq!(outcome["outcome"], "rolled_back");
    assert_eq!(runner.result("shop/which"), 2);
    let workspace = runner.get("/workspaces/shop");
    assert_eq!((&workspace["state"], &workspace["pinned"]), (&json!("pinned"), &json!(true)));
    runner.cli(&["status"]).ends(0);
    // A push does not move it.
    road.push_script("shop/flows/which.rhai", "4");
    runner.sync();
    assert_eq!(runner.result("shop/which"), 2);
}

#[test]
fn unpin_follows_the_source_again() {
    let road = three();
    let runner = deploy(&road);
    runner.cli(&["rollback", "-w", "shop"]).ends(0);
    road.push_script("shop/flows/which.rhai", "4");
    runner.cli(&["unpin", "-w", "shop"]).ends(0);
    runner.sync();
    assert_eq!(runner.result("shop/which"), 4);
    assert_eq!(runner.get("/workspaces/shop")["state"], "live");
}

#[test]
fn rollback_to_a_named_deployment_survives_a_kill_and_needs_no_git() {
    let road = three();
    let runner = deploy(&road);
    let all = runner.list("/workspaces/shop/deployments");
    let first = column(&all, "deployment").pop().unwrap();
    road.repo.git(&["checkout", "--quiet", "--orphan", "fresh"]);
    road.repo.commit("history is gone");
    road.repo.git(&["branch", "--quiet", "-M", "fresh", "main"]);
    road.repo.git(&["reflog", "expire", "--expire=now", "--all"]);
    road.repo.git(&["gc", "--quiet", "--prune=now"]);
    runner.cli(&["rollback", "-w", "shop", "--to", &first]).ends(0);
    assert_eq!(runner.result("shop/which"), 1);
    runner.kill9();
    let runner = road.start();
    assert_eq!(runner.result("shop/which"), 1);
    assert_eq!(runner.get("/workspaces/shop")["state"], "pinned");
}

#[test]
fn rollback_leaves_other_workspaces_alone() {
    let road = three();
    let runner = deploy(&road);
    let before = runner.get("/workspaces/ops");
    runner.cli(&["rollback", "-w", "shop"]).ends(0);
    let after = runner.get("/workspaces/ops");
    assert_eq!((&before["deployment"], &before["state"]), (&after["deployment"], &after["state"]));
}

#[test]
fn a_rollback_that_has_nowhere_to_go_is_refused() {
    let road = three();
    let runner = deploy(&road);
    for arguments in [
        &["rollback", "-w", "ops"][..],
        &["rollback", "-w", "shop", "--to", "d999999"],
        &["rollback", "-w", "nobody"],
    ] {
        let said = runner.cli(arguments).ends(1);
        assert!(said.stderr.contains("SB0"), "{arguments:?}: {}", said.stderr);
    }
    let of_ops = column(&runner.list("/workspaces/ops/deployments"), "deployment").remove(0);
    runner.cli(&["rollback", "-w", "shop", "--to", &of_ops]).ends(1);
    assert_eq!(runner.result("shop/which"), 3);
}

#[test]
fn a_rollback_that_would_break_callers_is_refused() {
    let road = Scene::pair("", "").road();
    let runner = road.start();
    road.repo.write("ops/workspace.yaml", "exports:\n  a.b: { flow: hello, callers: [domains] }\n");
    road.repo.write("shop/workspace.yaml", "uses: [a.b]\n");
    road.push_script("shop/flows/ask.rhai", "broker::request(\"a.b\", #{})");
    assert_eq!(runner.sync_of("shop")["outcome"], "deployed");
    let said = runner.cli(&["rollback", "-w", "ops"]).ends(1);
    assert!(said.stderr.contains("SB0610"), "{}", said.stderr);
    assert_eq!(runner.result("shop/ask"), "hello from ops");
}

#[test]
fn a_rejected_deployment_cannot_be_rolled_back_to() {
    let road = three();
    let runner = deploy(&road);
    road.push_script("shop/flows/which.rhai", "let");
    let bad = runner.sync_of("shop")["deployment"].as_str().unwrap().to_owned();
    runner.cli(&["rollback", "-w", "shop", "--to", &bad]).ends(1);
    assert_eq!(runner.result("shop/which"), 3);
    // What is before the live one is not the rejected one.
    runner.cli(&["rollback", "-w", "shop"]).ends(0);
    assert_eq!(runner.result("shop/which"), 2);
}

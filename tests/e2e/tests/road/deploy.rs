//! Promise 1, good and bad pushes: all or nothing, each workspace on its own.

use serde_json::{Value, json};
use signalbox_e2e::{Runner, Scene, eventually, strings};

/// The deployment of a workspace that is live.
fn deployment(runner: &Runner<'_>, workspace: &str) -> Value {
    runner.get(&format!("/workspaces/{workspace}"))["deployment"].clone()
}

fn state(runner: &Runner<'_>, workspace: &str) -> Value {
    runner.get(&format!("/workspaces/{workspace}"))["state"].clone()
}

#[test]
fn a_good_commit_goes_live_and_other_workspaces_are_untouched() {
    let road = Scene::pair("", "").script("shop/flows/price.rhai", "1").road();
    let runner = road.start();
    let before = (deployment(&runner, "ops"), deployment(&runner, "shop"));
    road.repo.write("shop/flows/extra.rhai", "fn main(inputs) { 7 }\n");
    road.repo.remove("shop/flows/hello.rhai");
    let commit = road.push_script("shop/flows/price.rhai", "2");

    let report = runner.sync();
    assert_eq!(report["revision"], commit.as_str());
    let [ops, shop] = report["workspaces"].as_array().unwrap().as_slice() else { panic!() };
    assert_eq!((&ops["outcome"], &ops["deployment"]), (&json!("unchanged"), &before.0));
    assert_eq!((&shop["outcome"], &shop["commit"]), (&json!("deployed"), &json!(commit)));
    assert_eq!(strings(&shop["added"]), ["extra"]);
    assert_eq!(strings(&shop["changed"]), ["price"]);
    assert_eq!(strings(&shop["removed"]), ["hello"]);
    assert!(shop["author"].as_str().is_some_and(|author| author.contains("Signal Tester")));
    assert_eq!(deployment(&runner, "ops"), before.0);
    assert_ne!(deployment(&runner, "shop"), before.1);
    assert_eq!(runner.result("shop/price"), 2);
    assert_eq!(runner.result("shop/extra"), 7);
}

#[test]
fn a_commit_outside_of_every_workspace_changes_nothing() {
    let road = Scene::pair("", "").road();
    let runner = road.start();
    let before = (deployment(&runner, "ops"), deployment(&runner, "shop"));
    road.push("README.md", "nothing to run here\n");
    for outcome in runner.sync()["workspaces"].as_array().unwrap() {
        assert_eq!(outcome["outcome"], "unchanged", "{outcome}");
    }
    assert_eq!((deployment(&runner, "ops"), deployment(&runner, "shop")), before);
}

#[test]
fn sync_ends_with_0_and_tells_every_outcome() {
    let road = Scene::pair("", "").road();
    let runner = road.start();
    road.push_script("shop/flows/hello.rhai", "`changed`");
    let report = runner.cli(&["sync", "--wait", "--json"]).ends(0).json();
    let outcomes = report["workspaces"].as_array().unwrap();
    assert_eq!(outcomes.len(), 2);
    for field in [
        "workspace",
        "deployment",
        "commit",
        "tree",
        "outcome",
        "diagnostics",
        "started_at",
        "ended_at",
        "author",
        "added",
        "changed",
        "removed",
        "hint",
        "hint_to_live_ms",
    ] {
        assert!(outcomes[1].get(field).is_some(), "{field} is missing in {:#}", outcomes[1]);
    }
    assert_eq!(outcomes[1]["hint"], "cli");
    let said = runner.cli(&["sync", "--wait"]).ends(0);
    assert!(said.stdout.contains("ops: unchanged"), "{}", said.stdout);
}

#[test]
fn a_bad_push_leaves_the_last_good_revision_at_work() {
    let schedule = "schedules: [{ cron: \"* * * * * *\", timezone: UTC }]\nrun: '`good`'\n";
    let road = Scene::pair("", "").file("shop/flows/tick.yaml", schedule).road();
    let runner = road.start();
    let good = road.repo.git(&["rev-parse", "HEAD"]);
    let live = deployment(&runner, "shop");

    road.push("shop/flows/tick.yaml", "scedules: []\nrun: '`bad`'\n");
    let outcome = runner.sync_of("shop");
    assert_eq!(outcome["outcome"], "rejected");
    assert_eq!(state(&runner, "shop"), "behind");
    assert_eq!(deployment(&runner, "shop"), live);

    // Slots that fire after the rejection run what was good.
    let after = outcome["ended_at"].as_str().unwrap().to_owned();
    let slot = eventually("the schedule fires after the rejection", || {
        let runs = runner.list("/runs?workspace=shop&flow=tick&state=succeeded");
        runs.into_iter().find(|run| run["queued_at"].as_str() > Some(after.as_str()))
    });
    assert_eq!(slot["revision"], good.as_str());
    let run = runner.show(slot["id"].as_str().unwrap());
    assert_eq!(run["result"], "good");

    let commit = road.push("shop/flows/tick.yaml", "run: '`fixed`'\n");
    assert_eq!(runner.sync_of("shop")["outcome"], "deployed");
    assert_eq!(state(&runner, "shop"), "live");
    assert_eq!(runner.get("/workspaces/shop")["live_revision"], commit.as_str());
    assert_eq!(runner.result("shop/tick"), "fixed");
}

#[test]
fn a_bad_workspace_does_not_hold_back_a_good_one() {
    let road = Scene::pair("", "").road();
    let runner = road.start();
    road.repo.write("ops/flows/hello.rhai", "fn main(inputs) { `newer` }\n");
    road.push("shop/flows/hello.rhai", "fn main(inputs) { let }\n");
    let report = runner.sync();
    let outcomes: Vec<_> =
        report["workspaces"].as_array().unwrap().iter().map(|one| &one["outcome"]).collect();
    assert_eq!(outcomes, ["deployed", "rejected"]);
    assert_eq!(runner.result("ops/hello"), "newer");
    assert_eq!(runner.result("shop/hello"), "hello from shop");
}

#[test]
fn a_force_push_to_older_content_makes_it_live_again() {
    let road = Scene::platform().script("ops/flows/which.rhai", "1").road();
    let first = road.repo.git(&["rev-parse", "HEAD"]);
    let runner = road.start();
    road.push_script("ops/flows/which.rhai", "2");
    assert_eq!(runner.sync_of("ops")["outcome"], "deployed");
    road.repo.git(&["reset", "--quiet", "--hard", &first]);
    road.repo.git(&["reflog", "expire", "--expire=now", "--all"]);
    road.repo.git(&["gc", "--quiet", "--prune=now"]);
    let outcome = runner.sync_of("ops");
    assert_eq!((&outcome["outcome"], &outcome["commit"]), (&json!("deployed"), &json!(first)));
    assert_eq!(runner.result("ops/which"), 1);
}

#[test]
fn a_deleted_folder_is_reported_and_what_was_live_stays() {
    let road = Scene::pair("", "").road();
    let runner = road.start();
    road.repo.remove("shop");
    road.repo.commit("oops");
    let outcome = runner.sync_of("shop");
    assert!(matches!(outcome["outcome"].as_str(), Some("rejected" | "held")), "{outcome:#}");
    assert_eq!(outcome["diagnostics"][0]["file"], "signalbox.yaml", "{outcome:#}");
    assert_eq!(runner.result("shop/hello"), "hello from shop");
}

#[test]
fn a_broken_root_manifest_changes_nothing_and_is_told() {
    let road = Scene::pair("", "").road();
    let runner = road.start();
    let root = std::fs::read_to_string(road.repo.path().join("signalbox.yaml")).unwrap();
    road.push("signalbox.yaml", &root.replace("kind: domain", "knid: domain"));
    let said = runner.cli(&["sync", "--wait", "--json"]).ends(1).json();
    assert!(said["diagnostics"].as_array().unwrap().len() > 1, "{said:#}");
    let status = runner.cli(&["status"]).ends(1);
    let talk = format!("{}{}", status.stdout, status.stderr);
    assert!(talk.contains("SB0103") && talk.contains("signalbox.yaml"), "{talk}");
    assert_eq!(runner.result("shop/hello"), "hello from shop");
    road.push("signalbox.yaml", &root);
    runner.cli(&["sync", "--wait"]).ends(0);
    runner.cli(&["status"]).ends(0);
}

#[test]
fn a_workspace_taken_out_of_the_root_manifest_is_retired() {
    let road = Scene::pair("", "").road();
    let runner = road.start();
    road.push("signalbox.yaml", &signalbox_e2e::root(&[("ops", "platform", "")]));
    runner.sync();
    let answer = runner.post("/workspaces/shop/flows/hello/runs", &json!({}));
    assert!(matches!(answer.status, 404 | 409), "{}", answer.text);
    assert_eq!(runner.result("ops/hello"), "hello from ops");
}

#[test]
fn what_is_live_starts_without_the_repository() {
    let road = Scene::platform().script("ops/flows/which.rhai", "41 + 1").road();
    assert!(road.start().terminate().success());
    // The head cannot be read any more: only the store knows what was live.
    road.repo.git(&["symbolic-ref", "HEAD", "refs/heads/gone"]);
    let runner = road.start();
    assert_eq!(runner.result("ops/which"), 42);
}

//! Promise 2: a run belongs to one revision for life, and what must be current is current.

use serde_json::json;
use signalbox_e2e::{Gate, Road, Scene, root};

/// A run of the shop waits for the platform; what it does then stands in a library, its connector
/// in the workspace file.
fn road(gate: &Gate) -> Road {
    let ask = "import \"libraries/words\" as words;
fn main(inputs) {
    let before = words::version();
    broker::request(\"slow.job\", #{});
    #{ before: before, after: words::version(), env: env(\"VERSION\"), revision: run::revision() }
}
";
    Scene::pair(&gate.grant(), "")
        .file("ops/workspace.yaml", "exports:\n  slow.job: { flow: job, callers: [domains] }\n")
        .script("ops/flows/job.rhai", &gate.ask())
        .file("shop/workspace.yaml", "uses: [slow.job]\nenv: { VERSION: old }\n")
        .file("shop/libraries/words.rhai", "fn version() { `old` }\n")
        .file("shop/flows/ask.rhai", ask)
        .road()
}

fn push_new(road: &Road) {
    road.repo.write("shop/workspace.yaml", "uses: [slow.job]\nenv: { VERSION: new }\n");
    road.push("shop/libraries/words.rhai", "fn version() { `new` }\n");
}

#[test]
fn a_run_that_waits_keeps_its_code_through_a_push_and_a_restart() {
    let gate = Gate::closed();
    let road = road(&gate);
    let old = road.repo.git(&["rev-parse", "HEAD"]);
    let runner = road.start();
    let run = runner.accept("shop/ask", &json!({}));
    runner.until(&run, "suspended");
    push_new(&road);
    assert_eq!(runner.sync_of("shop")["outcome"], "deployed");
    runner.kill9();
    let runner = road.start();
    gate.open();
    let run = runner.ended(&run);
    let kept = json!({ "before": "old", "after": "old", "env": "old", "revision": old });
    assert_eq!(run["result"], kept, "{run:#}");
    assert_eq!(run["revision"], old.as_str());
    assert_eq!(runner.result("shop/ask")["after"], "new");
}

#[test]
fn a_run_that_waits_keeps_its_code_when_history_is_rewritten_and_pruned() {
    let gate = Gate::closed();
    let road = road(&gate);
    let runner = road.start();
    let run = runner.accept("shop/ask", &json!({}));
    runner.until(&run, "suspended");
    push_new(&road);
    let tree = road.repo.git(&["rev-parse", "HEAD^{tree}"]);
    road.repo.commit_tree(&tree, "main");
    road.repo.git(&["reflog", "expire", "--expire=now", "--all"]);
    road.repo.git(&["gc", "--quiet", "--prune=now"]);
    assert_eq!(runner.sync_of("shop")["outcome"], "deployed");
    runner.kill9();
    let runner = road.start();
    gate.open();
    assert_eq!(runner.ended(&run)["result"]["after"], "old");
}

#[test]
fn a_run_that_waits_ends_when_its_workspace_is_gone_from_the_source() {
    let gate = Gate::closed();
    let road = road(&gate);
    let runner = road.start();
    let run = runner.accept("shop/ask", &json!({}));
    runner.until(&run, "suspended");
    road.push("signalbox.yaml", &root(&[("ops", "platform", &gate.grant())]));
    runner.sync();
    gate.open();
    let run = runner.ended(&run);
    assert_eq!(run["result"]["after"], "old", "{run:#}");
}

#[test]
fn a_queued_run_keeps_the_revision_it_was_accepted_at() {
    let gate = Gate::closed();
    let grants = format!("{}, limits: {{ concurrency: 1 }}", gate.grant());
    let road = Scene::new(&[("ops", "platform", &grants)])
        .script("ops/flows/wait.rhai", &gate.ask())
        .script("ops/flows/which.rhai", "1")
        .road();
    let runner = road.start();
    let first = runner.accept("ops/wait", &json!({}));
    gate.wait_for(1);
    let queued = runner.accept("ops/which", &json!({}));
    road.push_script("ops/flows/which.rhai", "2");
    assert_eq!(runner.sync_of("ops")["outcome"], "deployed");
    gate.open();
    assert_eq!(runner.ended(&first)["state"], "succeeded");
    assert_eq!(runner.ended(&queued)["result"], 1);
    assert_eq!(runner.result("ops/which"), 2);
}

#[test]
fn a_grant_that_is_withdrawn_is_gone_for_runs_under_way() {
    let gate = Gate::closed();
    let body = format!("{ask};\n{ask}", ask = gate.ask());
    let road = Scene::new(&[("ops", "platform", &gate.grant())])
        .script("ops/flows/twice.rhai", &body)
        .road();
    let runner = road.start();
    let run = runner.accept("ops/twice", &json!({}));
    gate.wait_for(1);
    road.push("signalbox.yaml", &root(&[("ops", "platform", "")]));
    assert_eq!(runner.sync_of("ops")["outcome"], "deployed");
    gate.open();
    let run = runner.ended(&run);
    assert_eq!((&run["state"], &run["error"]["code"]), (&json!("failed"), &json!("SB0506")));
    assert_eq!(gate.requests().len(), 1);
}

#[test]
fn a_grant_that_is_withdrawn_is_gone_although_the_revision_is_refused() {
    let gate = Gate::closed();
    gate.open();
    let road = Scene::new(&[("ops", "platform", &gate.grant())])
        .script("ops/flows/ask.rhai", &gate.ask())
        .road();
    let runner = road.start();
    runner.result("ops/ask");
    road.repo.write("signalbox.yaml", root(&[("ops", "platform", "")]));
    road.push("ops/flows/broken.yaml", "steps: 1\n");
    assert_eq!(runner.sync_of("ops")["outcome"], "rejected");
    assert_eq!(runner.error("ops/ask")["code"], "SB0506");
    let runner = {
        runner.kill9();
        road.start()
    };
    assert_eq!(runner.error("ops/ask")["code"], "SB0506", "after a restart too");
    assert_eq!(gate.requests().len(), 1);
}

#[test]
fn a_call_reaches_the_newest_revision_of_its_callee() {
    let road = Scene::pair("", "")
        .file("ops/workspace.yaml", "exports:\n  which.one: { flow: which, callers: [domains] }\n")
        .script("ops/flows/which.rhai", "1")
        .file("shop/workspace.yaml", "uses: [which.one]\n")
        .script("shop/flows/ask.rhai", "broker::request(\"which.one\", #{})")
        .road();
    let runner = road.start();
    assert_eq!(runner.result("shop/ask"), 1);
    road.push_script("ops/flows/which.rhai", "2");
    let report = runner.sync();
    assert_eq!(report["workspaces"][1]["outcome"], "unchanged", "{report:#}");
    assert_eq!(runner.result("shop/ask"), 2);
}

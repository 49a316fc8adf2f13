//! What is left behind by ends in the middle: queued runs, suspended callers, lost repositories.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};
use signalbox_e2e::{Gate, Road, Scene, root};

/// A workspace that does one thing at a time, and that thing waits at the gate.
fn narrow(gate: &Gate) -> Road {
    let grants = format!("{}, limits: {{ concurrency: 1 }}", gate.grant());
    Scene::new(&[("ops", "platform", ""), ("shop", "domain", &grants)])
        .script("shop/flows/wait.rhai", &gate.ask())
        .script("shop/flows/mark.rhai", "state::add(\"marks\", 1)")
        .road()
}

#[test]
fn a_queued_run_that_is_cancelled_never_begins() {
    let gate = Gate::closed();
    let road = narrow(&gate);
    let runner = road.start();
    let first = runner.accept("shop/wait", &json!({}));
    gate.wait_for(1);
    let queued = runner.accept("shop/mark", &json!({}));
    runner.cli(&["cancel", &queued]).ends(0);
    let cancelled = runner.ended(&queued);
    assert_eq!(
        (&cancelled["state"], &cancelled["started_at"]),
        (&json!("cancelled"), &Value::Null)
    );
    gate.open();
    runner.ended(&first);
    assert_eq!(runner.result("shop/mark"), 1);
}

#[test]
fn a_cancelled_run_stays_cancelled_after_a_kill() {
    let gate = Gate::closed();
    let road = narrow(&gate);
    let runner = road.start();
    let first = runner.accept("shop/wait", &json!({}));
    gate.wait_for(1);
    let queued = runner.accept("shop/mark", &json!({}));
    for run in [&queued, &first] {
        runner.cli(&["cancel", run]).ends(0);
    }
    runner.kill9();
    gate.open();
    let runner = road.start();
    for run in [&queued, &first] {
        assert_eq!(runner.ended(run)["state"], "cancelled");
    }
    assert_eq!(runner.result("shop/mark"), 1);
}

#[test]
fn queued_runs_of_a_workspace_that_is_taken_out_end() {
    let gate = Gate::closed();
    let road = narrow(&gate);
    let runner = road.start();
    let first = runner.accept("shop/wait", &json!({}));
    gate.wait_for(1);
    let queued = runner.accept("shop/mark", &json!({}));
    road.push("signalbox.yaml", &root(&[("ops", "platform", "")]));
    runner.sync();
    gate.open();
    for run in [&first, &queued] {
        let run = runner.ended(run);
        assert_eq!(run["state"], "succeeded", "{run:#}");
    }
    let again = runner.post(&format!("/runs/{queued}/rerun"), &json!({ "newest": true }));
    assert!((400..500).contains(&again.status), "{}", again.text);
}

#[test]
fn a_run_that_goes_on_cannot_be_rerun() {
    let gate = Gate::closed();
    let road = narrow(&gate);
    let runner = road.start();
    let run = runner.accept("shop/wait", &json!({}));
    let problem = runner.post(&format!("/runs/{run}/rerun"), &json!({})).expect(409);
    assert_eq!(problem["code"], "SB0610");
}

#[test]
fn a_flow_that_is_gone_can_be_rerun_at_its_own_revision_only() {
    let road = Scene::platform().script("ops/flows/old.rhai", "`still here`").road();
    let runner = road.start();
    let run = runner.run("ops/old", &json!({}));
    let id = run["id"].as_str().unwrap();
    road.repo.remove("ops/flows/old.rhai");
    road.repo.commit("no longer needed");
    assert_eq!(runner.sync_of("ops")["outcome"], "deployed");
    let path = format!("/runs/{id}/rerun");
    assert_eq!(runner.post(&path, &json!({ "newest": true })).status, 404);
    let again = runner.post(&path, &json!({})).expect(202)["id"].as_str().unwrap().to_owned();
    assert_eq!(runner.ended(&again)["result"], "still here");
}

#[test]
fn a_callee_that_fails_while_the_runner_is_down_reaches_its_caller() {
    let gate = Gate::closed();
    let body = format!("{};\nthrow `after all`", gate.ask());
    let road = Scene::pair(&gate.grant(), "")
        .file("ops/workspace.yaml", "exports:\n  slow.job: { flow: job, callers: [domains] }\n")
        .script("ops/flows/job.rhai", &body)
        .file("shop/workspace.yaml", "uses: [slow.job]\n")
        .script(
            "shop/flows/ask.rhai",
            "let told = ();
try { broker::request(\"slow.job\", #{}); } catch (e) { told = `${e}`; }
state::add(\"told\", 1);
told",
        )
        .road();
    let runner = road.start();
    let run = runner.accept("shop/ask", &json!({}));
    gate.wait_for(1);
    runner.until(&run, "suspended");
    runner.kill9();
    gate.open();
    let runner = road.start();
    let run = runner.ended(&run);
    let told = run["result"].as_str().unwrap_or_default();
    assert!(told.starts_with("SB0314") && told.contains("after all"), "{run:#}");
}

#[test]
fn a_repository_that_vanishes_stops_nothing_that_is_live() {
    let road = Scene::pair("", "").road();
    let runner = road.start();
    let (here, away) = (road.repo.path(), road.repo.path().with_extension("away"));
    fs::rename(&here, &away).unwrap();
    let report = runner.sync();
    assert_eq!(report["diagnostics"][0]["code"], "SB0406", "{report:#}");
    runner.cli(&["sync", "--wait"]).ends(1);
    runner.cli(&["status"]).ends(1);
    assert_eq!(runner.result("shop/hello"), "hello from shop");
    fs::rename(&away, &here).unwrap();
    road.push_script("shop/flows/hello.rhai", "`back again`");
    assert_eq!(runner.sync_of("shop")["outcome"], "deployed");
    assert_eq!(runner.result("shop/hello"), "back again");
    runner.cli(&["status"]).ends(0);
}

/// The file of the object of a path at the head.
fn object(road: &Road, path: &str) -> PathBuf {
    let id = road.repo.git(&["rev-parse", &format!("HEAD:{path}")]);
    road.repo.path().join(".git/objects").join(&id[..2]).join(&id[2..])
}

/// Breaks the newest script in some way; the runner must tell, keep what is live, and go on when
/// it is whole again.
#[track_caller]
fn broken(damage: impl Fn(&[u8]) -> Option<Vec<u8>>) {
    let road = Scene::platform().script("ops/flows/which.rhai", "1").road();
    let runner = road.start();
    road.push_script("ops/flows/which.rhai", "2");
    let object = object(&road, "ops/flows/which.rhai");
    let whole = fs::read(&object).unwrap();
    fs::remove_file(&object).unwrap();
    if let Some(content) = damage(&whole) {
        fs::write(&object, content).unwrap();
    }
    let report = runner.post("/sync", &json!({ "wait": 10 })).expect(200);
    assert!(report["diagnostics"].to_string().contains("SB0406"), "{report:#}");
    assert_eq!(runner.result("ops/which"), 1);
    fs::write(&object, whole).unwrap();
    assert_eq!(runner.sync_of("ops")["outcome"], "deployed");
    assert_eq!(runner.result("ops/which"), 2);
}

#[test]
fn an_object_that_is_missing_is_told_and_changes_nothing() {
    broken(|_| None);
}

#[test]
fn an_object_that_is_damaged_is_told_and_changes_nothing() {
    broken(|_| Some(b"garbage".to_vec()));
    broken(|_| Some(Vec::new()));
}

#[test]
fn an_object_that_is_cut_off_is_told_and_changes_nothing() {
    broken(|whole| Some(whole[..whole.len() / 2].to_vec()));
}

#[test]
fn a_look_that_hangs_does_not_keep_the_runner_from_stopping() {
    let road = Scene::platform().road();
    let runner = road.start();
    road.push_script("ops/flows/hello.rhai", "`a little longer, so that it can be cut off`");
    let object = object(&road, "ops/flows/hello.rhai");
    let whole = fs::read(&object).unwrap();
    fs::remove_file(&object).unwrap();
    fs::write(&object, &whole[..whole.len() / 2]).unwrap();
    runner.post("/sync", &json!({ "wait": 1 }));
    assert_eq!(runner.terminate().code(), Some(0));
}

#[test]
fn a_stop_answers_whoever_waits_for_a_run() {
    let gate = Gate::closed();
    let road = narrow(&gate);
    let runner = road.start();
    std::thread::scope(|scope| {
        let client = runner.client().clone();
        let waiting = scope.spawn(move || {
            client.post("/api/v1/workspaces/shop/flows/wait/runs?wait=50", &json!({}))
        });
        gate.wait_for(1);
        assert_eq!(runner.terminate().code(), Some(0));
        let answer = waiting.join().unwrap();
        assert!(matches!(answer.status, 202 | 503), "{}", answer.text);
    });
}

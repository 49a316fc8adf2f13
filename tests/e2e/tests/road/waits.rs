//! Runs that wait: asleep, before their next attempt, for other runs. They hold nothing, survive
//! everything, and go on once.

use serde_json::{Value, json};
use signalbox_e2e::{Road, Runner, Scene, eventually};

/// A flow of one step in YAML.
fn flow(settings: &str, code: &str) -> String {
    let code: String = code.lines().map(|line| format!("  {line}\n")).collect();
    format!("{settings}\nrun: |\n{code}")
}

fn road() -> Road {
    let tries = "let n = state::add(\"tries\", 1);\nif n < 3 { throw \"not yet\" }\nn";
    let slow = "{ attempts: 3, backoff: fixed, initial: 1500ms, jitter: false }";
    let quick = "{ attempts: 3, backoff: fixed, initial: 20ms, jitter: false }";
    Scene::platform()
        .script(
            "ops/flows/nap.rhai",
            "state::add(\"before\", 1);\nlet told = now();\nsleep(\"1500ms\");\nstate::add(\"after\", 1);\nsleep(0.001);\ntold < now()",
        )
        .script("ops/flows/long.rhai", "sleep(\"365d\")")
        .script("ops/flows/read.rhai", "inputs.names.map(|name| state::get(name))")
        .file("ops/flows/tries.yaml", flow(&format!("retry: {slow}"), tries))
        .file("ops/flows/quick.yaml", flow(&format!("retry: {quick}"), tries))
        .file("ops/flows/late.yaml", flow("deadline: 500ms", "sleep(\"1h\")"))
        .file(
            "ops/flows/steps.yaml",
            format!(
                "retry: {quick}\nsteps:\n  - {{ id: first, run: 'state::add(\"first\", 1)' }}\n  \
                 - {{ id: second, run: 'let n = state::add(\"second\", 1); if n < 3 {{ throw \"no\" }} steps.first * 100 + n' }}\n"
            ),
        )
        .script("ops/flows/caller.rhai", "flow::run(\"quick\", #{})")
        .script("ops/flows/top.rhai", "flow::start(\"other\");\nflow::run(\"middle\")")
        .script("ops/flows/middle.rhai", "flow::run(\"bottom\")")
        .script("ops/flows/bottom.rhai", "sleep(\"1h\")")
        .script("ops/flows/other.rhai", "sleep(\"1h\")")
        .script("ops/flows/round.rhai", "let name = \"round\"; flow::run(name)")
        .script("ops/flows/typo.rhai", "let name = \"midle\"; flow::run(name)")
        .script(
            "ops/flows/count.rhai",
            "state::add(\"counted\", 1);\nif inputs.n == 0 { return \"done\" }\ncontinue_as(#{ n: inputs.n - 1 })",
        )
        .script("ops/flows/asks.rhai", "flow::run(\"count\", #{ n: 50 })")
        .script("ops/flows/waits.rhai", "let run = flow::start(\"count\", #{ n: 2 });\nsleep(0.05);\nflow::wait(run)")
        .script("ops/flows/sleeper.rhai", "sleep(\"2s\");\nstate::add(\"woken\", 1)")
        .script("ops/flows/many.rhai", "for i in 0..500 { flow::start(\"sleeper\") }")
        .road()
}

fn read(runner: &Runner<'_>, names: &[&str]) -> Value {
    runner.run("ops/read", &json!({ "names": names }))["result"].clone()
}

fn runs_of(runner: &Runner<'_>, flow: &str) -> Vec<Value> {
    runner.list(&format!("/runs?flow={flow}&limit=1000"))
}

#[test]
fn a_sleep_survives_a_kill_and_ends_once() {
    let road = road();
    let runner = road.start();
    let run = runner.accept("ops/nap", &json!({}));
    let asleep = runner.until(&run, "suspended");
    assert_eq!(asleep["reason"], "waiting_until", "{asleep:#}");
    assert!(asleep["until"].as_str() > asleep["queued_at"].as_str(), "{asleep:#}");
    assert_eq!(asleep["waits"][0]["kind"], "moment");
    let said = runner.cli(&["runs"]).ends(0).stdout.clone();
    assert!(said.contains("suspended waiting_until 20"), "{said}");
    runner.kill9();
    let runner = road.start();
    let ended = runner.ended(&run);
    assert_eq!(
        (&ended["state"], &ended["result"]),
        (&json!("succeeded"), &json!(true)),
        "{ended:#}"
    );
    assert!(ended["ended_at"].as_str() >= asleep["until"].as_str(), "{ended:#}");
    assert_eq!(read(&runner, &["before", "after"]), json!([1, 1]));
}

#[test]
fn a_sleep_of_a_year_ends_when_it_is_cancelled() {
    let road = road();
    let runner = road.start();
    let run = runner.accept("ops/long", &json!({}));
    runner.until(&run, "suspended");
    runner.post(&format!("/runs/{run}/cancel"), &json!({})).expect(202);
    let ended = runner.ended(&run);
    assert_eq!(ended["state"], "cancelled", "{ended:#}");
    assert_eq!(ended["waits"], json!([]));
}

#[test]
fn attempts_go_on_after_a_kill() {
    let road = road();
    let runner = road.start();
    let run = runner.accept("ops/tries", &json!({}));
    let waits = runner.until(&run, "suspended");
    assert_eq!(waits["reason"], "waiting_retry", "{waits:#}");
    assert_eq!(waits["error"]["code"], "SB0501", "{waits:#}");
    runner.kill9();
    let runner = road.start();
    let ended = runner.ended(&run);
    assert_eq!(ended["state"], "succeeded", "{ended:#}");
    assert_eq!((&ended["result"], &ended["attempt"]), (&json!(3), &json!(3)), "{ended:#}");
    assert_eq!(ended["error"], Value::Null);
}

#[test]
fn a_run_that_is_cancelled_before_its_next_attempt_makes_none() {
    let road = road();
    let runner = road.start();
    let run = runner.accept("ops/tries", &json!({}));
    runner.until(&run, "suspended");
    runner.post(&format!("/runs/{run}/cancel"), &json!({})).expect(202);
    assert_eq!(runner.ended(&run)["state"], "cancelled");
    // The next one of another run is later than that of this one would have been.
    let other = runner.accept("ops/tries", &json!({}));
    runner.ended(&other);
    assert_eq!(read(&runner, &["tries"]), json!([3]));
    assert_eq!(runner.show(&run)["state"], "cancelled");
}

#[test]
fn steps_that_succeeded_are_kept_over_attempts() {
    let road = road();
    let runner = road.start();
    assert_eq!(runner.result("ops/steps"), json!(103));
    assert_eq!(read(&runner, &["first", "second"]), json!([1, 3]));
}

#[test]
fn a_caller_hears_of_the_last_attempt_only() {
    let road = road();
    let runner = road.start();
    assert_eq!(runner.result("ops/caller"), json!(3));
    let callee = &runs_of(&runner, "quick")[0];
    let caller = &runs_of(&runner, "caller")[0];
    assert_eq!(callee["parent_run"], caller["id"], "{callee:#}");
    assert_eq!((&callee["trigger"]["kind"], &callee["attempt"]), (&json!("flow"), &json!(3)));
    assert_eq!(runner.list("/calls").len(), 0, "the broker has nothing to do with it");
}

#[test]
fn what_a_run_waits_for_is_cancelled_with_it_and_what_it_started_is_not() {
    let road = road();
    let runner = road.start();
    let run = runner.accept("ops/top", &json!({}));
    let bottom = eventually("the bottom sleeps", || {
        runs_of(&runner, "bottom").into_iter().find(|run| run["state"] == "suspended")
    });
    runner.until(&run, "suspended");
    runner.post(&format!("/runs/{run}/cancel"), &json!({})).expect(202);
    runner.until(&run, "cancelled");
    for flow in ["middle", "bottom"] {
        let id = runs_of(&runner, flow)[0]["id"].as_str().unwrap().to_owned();
        runner.until(&id, "cancelled");
    }
    assert_eq!(bottom["chain"], Value::Null);
    let other = &runs_of(&runner, "other")[0];
    runner.until(other["id"].as_str().unwrap(), "suspended");
}

#[test]
fn a_flow_that_leads_back_or_is_not_there_is_refused() {
    let road = road();
    let runner = road.start();
    let error = runner.error("ops/round");
    assert!(error["message"].as_str().unwrap().contains("leads back"), "{error}");
    let error = runner.error("ops/typo");
    assert!(error["message"].as_str().unwrap().contains("did you mean `middle`?"), "{error}");
}

#[test]
fn fifty_successors_answer_as_one() {
    let road = road();
    let runner = road.start();
    assert_eq!(runner.result("ops/asks"), json!("done"));
    assert_eq!(runs_of(&runner, "count").len(), 51);
    assert_eq!(read(&runner, &["counted"]), json!([51]));
    let last = runner.run("ops/count", &json!({ "n": 3 }));
    assert_eq!((&last["result"], &last["trigger"]["kind"]), (&json!("done"), &json!("continue")));
    let before = runner.show(last["predecessor"].as_str().unwrap());
    assert_eq!((&before["successor"], &before["state"]), (&last["id"], &json!("succeeded")));
    assert_eq!(runner.result("ops/waits"), json!("done"), "also when it is waited for later");
}

#[test]
fn a_deadline_ends_a_run_that_waits() {
    let road = road();
    let runner = road.start();
    let run = runner.run("ops/late", &json!({}));
    assert_eq!((&run["state"], &run["reason"]), (&json!("failed"), &json!("timed_out")), "{run:#}");
    assert_eq!(run["error"]["message"], "its deadline has passed");
}

#[test]
fn two_thousand_sleepers_wake_once() {
    let road = road();
    let runner = road.start();
    let runs: Vec<_> = (0..4).map(|_| runner.accept("ops/many", &json!({}))).collect();
    for run in &runs {
        assert_eq!(runner.ended(run)["state"], "succeeded");
    }
    runner.kill9();
    let runner = road.start();
    eventually("all are awake", || {
        let woken = read(&runner, &["woken"]);
        (woken == json!([2_000])).then_some(())
    });
    assert!(runner.list("/runs?state=suspended").is_empty());
    assert_eq!(read(&runner, &["woken"]), json!([2_000]));
}

//! Promise 3: an accepted run is never lost and its internal effects happen exactly once, whatever
//! dies in the middle.

use serde_json::{Value, json};
use signalbox_e2e::{Gate, Runner, Scene};

/// Counts before and after the world is asked, calls the platform before and after, and keeps the
/// counter of its own run under its id.
fn journey(gate: &Gate) -> Scene {
    let body = format!(
        "let id = run::id();
state::add(`count/${{id}}/before`, 1);
let first = broker::request(\"numbers.next\", #{{ of: id }});
let drawn = random();
{};
let second = broker::request(\"numbers.next\", #{{ of: id }});
state::add(`count/${{id}}/after`, 1);
#{{ first: first, second: second, drawn: drawn }}",
        gate.ask()
    );
    Scene::pair("", &format!("{}, limits: {{ concurrency: 4 }}", gate.grant()))
        .file(
            "ops/workspace.yaml",
            "exports:\n  numbers.next: { flow: next, callers: [domains] }\n",
        )
        .script("ops/flows/next.rhai", "state::add(`next/${inputs.of}`, 1)")
        .script("ops/flows/read.rhai", "state::get(inputs.name)")
        .file("shop/workspace.yaml", "uses: [numbers.next@1]\n")
        .script("shop/flows/journey.rhai", &body)
        .script("shop/flows/read.rhai", "state::get(inputs.name)")
}

fn read(runner: &Runner<'_>, workspace: &str, name: &str) -> Value {
    let run = runner.run(&format!("{workspace}/read"), &json!({ "name": name }));
    assert_eq!(run["state"], "succeeded", "{run:#}");
    run["result"].clone()
}

/// Every run has succeeded, and whatever it did inside of Signalbox it did once.
#[track_caller]
fn check(runner: &Runner<'_>, runs: &[String]) {
    for id in runs {
        let run = runner.ended(id);
        assert_eq!(run["state"], "succeeded", "{run:#}");
        assert_eq!((&run["result"]["first"], &run["result"]["second"]), (&json!(1), &json!(2)));
        assert_eq!(read(runner, "shop", &format!("count/{id}/before")), 1);
        assert_eq!(read(runner, "shop", &format!("count/{id}/after")), 1);
        assert_eq!(read(runner, "ops", &format!("next/{id}")), 2);
        let calls = runner.calls_of(id);
        assert_eq!(calls.len(), 2, "{calls:#?}");
        assert!(calls.iter().all(|call| call["state"] == "succeeded"), "{calls:#?}");
    }
    let next = runner.list("/runs?flow=next&limit=1000");
    assert_eq!(next.len(), runs.len() * 2, "a call's run was doubled or lost");
}

#[test]
fn runs_in_the_middle_of_effects_survive_a_kill_of_the_runner() {
    let gate = Gate::closed();
    let road = journey(&gate).road();
    let runner = road.start();
    let runs: Vec<_> = (0..4).map(|_| runner.accept("shop/journey", &json!({}))).collect();
    gate.wait_for(4);
    runner.kill9();
    gate.open();
    let runner = road.start();
    check(&runner, &runs);
    // At least once, and with the same journal key each time.
    assert!(gate.requests().len() >= 8, "{}", gate.requests().len());
}

#[test]
fn runs_in_the_middle_of_effects_survive_a_kill_of_their_cells() {
    let gate = Gate::closed();
    let road = journey(&gate).road();
    let runner = road.start();
    let runs: Vec<_> = (0..4).map(|_| runner.accept("shop/journey", &json!({}))).collect();
    gate.wait_for(4);
    for cell in runner.cells() {
        cell.kill9();
    }
    // Whoever lost its cell asks the world again.
    gate.wait_for(8);
    gate.open();
    check(&runner, &runs);
}

#[test]
fn runs_that_wait_for_the_world_do_not_wait_for_each_other() {
    let gate = Gate::closed();
    let road = Scene::new(&[(
        "ops",
        "platform",
        &format!("{}, limits: {{ concurrency: 4 }}", gate.grant()),
    )])
    .script("ops/flows/ask.rhai", &gate.ask())
    .road();
    let runner = road.start();
    let runs: Vec<_> = (0..4).map(|_| runner.accept("ops/ask", &json!({}))).collect();
    gate.wait_for(4);
    runner.kill9();
    // All four are in the queue before the new runner looks for the first time, and nothing else
    // happens that would make it look again.
    let runner = road.start();
    gate.wait_for(8);
    gate.open();
    for run in &runs {
        assert_eq!(runner.ended(run)["state"], "succeeded");
    }
}

#[test]
fn runs_that_were_accepted_and_never_began_survive_a_kill() {
    let gate = Gate::closed();
    let road = journey(&gate).road();
    let runner = road.start();
    // Four fill the workspace's concurrency; the others wait in the queue.
    let runs: Vec<_> = (0..12).map(|_| runner.accept("shop/journey", &json!({}))).collect();
    gate.wait_for(4);
    runner.kill9();
    gate.open();
    let runner = road.start();
    check(&runner, &runs);
}

#[test]
fn what_was_read_before_a_kill_is_the_same_after_it() {
    let gate = Gate::closed();
    let body = format!(
        "let drawn = [random(), uuid(), now(), state::get(\"seen\", \"nothing\")];
state::set(\"drawn\", drawn);
{};
#{{ drawn: drawn, kept: state::get(\"drawn\") }}",
        gate.ask()
    );
    let road = Scene::new(&[("ops", "platform", &gate.grant())])
        .script("ops/flows/draw.rhai", &body)
        .script("ops/flows/seen.rhai", "state::set(\"seen\", \"something\")")
        .road();
    let runner = road.start();
    let run = runner.accept("ops/draw", &json!({}));
    gate.wait_for(1);
    runner.result("ops/seen");
    runner.kill9();
    gate.open();
    let runner = road.start();
    let run = runner.ended(&run);
    assert_eq!(run["state"], "succeeded", "{run:#}");
    assert_eq!(run["result"]["drawn"], run["result"]["kept"]);
    assert_eq!(run["result"]["drawn"][3], "nothing", "{run:#}");
}

#[test]
fn an_outside_effect_that_is_repeated_carries_the_same_key() {
    let gate = Gate::closed();
    let body = format!("http::post(\"{}/\", #{{ a: 1 }}).status", gate.url());
    let road = Scene::new(&[("ops", "platform", &gate.grant())])
        .script("ops/flows/send.rhai", &body)
        .road();
    let runner = road.start();
    let run = runner.accept("ops/send", &json!({}));
    gate.wait_for(1);
    runner.kill9();
    gate.open();
    let runner = road.start();
    assert_eq!(runner.ended(&run)["result"], 200);
    let other = runner.accept("ops/send", &json!({}));
    runner.ended(&other);
    let keys: Vec<_> = gate
        .requests()
        .iter()
        .map(|request| request.header("idempotency-key").unwrap_or_default().to_owned())
        .collect();
    let [first, second, third] = keys.as_slice() else { panic!("{keys:?}") };
    assert!(!first.is_empty() && first == second && second != third, "{keys:?}");
}

#[test]
fn ended_runs_stay_as_they_were_after_a_kill() {
    let road = Scene::platform().script("ops/flows/once.rhai", "state::add(\"n\", 1)").road();
    let runner = road.start();
    let before: Vec<_> = (0..5).map(|_| runner.run("ops/once", &json!({}))).collect();
    runner.kill9();
    let runner = road.start();
    for run in &before {
        assert_eq!(runner.show(run["id"].as_str().unwrap()), *run);
    }
    assert_eq!(runner.result("ops/once"), 6);
}

#[test]
fn steps_that_succeeded_are_not_repeated_after_a_kill() {
    let gate = Gate::closed();
    let flow = format!(
        "steps:
  - id: first
    run: state::add(\"first\", 1)
  - id: second
    run: '{}'
  - id: third
    run: state::add(\"third\", steps.first)
",
        gate.ask()
    );
    let road =
        Scene::new(&[("ops", "platform", &gate.grant())]).file("ops/flows/steps.yaml", flow).road();
    let runner = road.start();
    let run = runner.accept("ops/steps", &json!({}));
    gate.wait_for(1);
    runner.kill9();
    gate.open();
    let runner = road.start();
    let run = runner.ended(&run);
    assert_eq!((&run["state"], &run["result"]), (&json!("succeeded"), &json!(1)), "{run:#}");
    let steps: Vec<_> =
        run["steps"].as_array().unwrap().iter().map(|step| step["id"].clone()).collect();
    assert_eq!(steps, ["first", "second", "third"]);
}

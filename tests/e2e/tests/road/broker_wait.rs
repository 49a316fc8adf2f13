//! Promises 2, 3 and 7 while a caller waits: it holds nothing, survives everything, and gets an
//! answer once.

use serde_json::{Value, json};
use signalbox_e2e::{Gate, Road, Scene, cells, eventually};

/// The shop asks the platform, which asks the world.
fn road(gate: &Gate, export: &str) -> Road {
    Scene::pair(&gate.grant(), "")
        .file("ops/workspace.yaml", format!("exports:\n  slow.job: {{ flow: job, callers: [domains]{export} }}\n"))
        .script("ops/flows/job.rhai", &format!("state::add(\"jobs\", 1);\n{};\n`job done`", gate.ask()))
        .file("shop/workspace.yaml", "uses: [slow.job]\n")
        .script(
            "shop/flows/ask.rhai",
            "let n = state::add(\"asked\", 1);\nlet answer = broker::request(\"slow.job\", #{});\nstate::add(\"answered\", 1);\n#{ n: n, answer: answer }",
        )
        .script("shop/flows/read.rhai", "[state::get(\"asked\"), state::get(\"answered\")]")
        .road()
}

#[test]
fn a_waiting_caller_is_suspended_and_holds_no_cell() {
    let gate = Gate::closed();
    let road = road(&gate, "");
    let runner = road.start();
    let run = runner.accept("shop/ask", &json!({}));
    gate.wait_for(1);
    let waiting = runner.until(&run, "suspended");
    assert_eq!(waiting["reason"], "waiting_call");
    let callee = waiting["waits_for"][0].as_str().unwrap().to_owned();
    assert_eq!(runner.show(&callee)["state"], "running");
    // Only the platform's cell, which asks the world, is held.
    eventually("one cell is left", || (cells(runner.pid()).len() == 1).then_some(()));
    gate.open();
    let run = runner.ended(&run);
    assert_eq!(run["result"], json!({ "n": 1, "answer": "job done" }), "{run:#}");
    assert_eq!(runner.result("shop/read"), json!([1, 1]));
}

#[test]
fn a_suspended_caller_survives_a_kill() {
    let gate = Gate::closed();
    let road = road(&gate, "");
    let runner = road.start();
    let run = runner.accept("shop/ask", &json!({}));
    gate.wait_for(1);
    runner.until(&run, "suspended");
    runner.kill9();
    let runner = road.start();
    assert_eq!(runner.show(&run)["state"], "suspended");
    gate.open();
    let run = runner.ended(&run);
    assert_eq!(run["result"], json!({ "n": 1, "answer": "job done" }), "{run:#}");
    assert_eq!(runner.result("shop/read"), json!([1, 1]));
    assert_eq!(runner.list("/runs?flow=job").len(), 1);
    assert_eq!(runner.list("/calls").len(), 1);
}

#[test]
fn an_export_that_takes_too_long_answers_its_caller() {
    let gate = Gate::closed();
    let road = road(&gate, ", timeout: 300ms");
    let runner = road.start();
    let run = runner.run("shop/ask", &json!({}));
    assert_eq!((&run["state"], &run["error"]["code"]), (&json!("failed"), &json!("SB0315")));
    gate.open();
    let call = runner.list("/calls").remove(0);
    runner.ended(call["run"].as_str().unwrap());
    // The late answer changes nothing.
    assert_eq!(runner.show(run["id"].as_str().unwrap()), run);
    assert_eq!(runner.result("shop/read"), json!([1, Value::Null]));
}

#[test]
fn a_timeout_that_passes_while_the_runner_is_down_answers_at_the_next_start() {
    let gate = Gate::closed();
    let road = road(&gate, ", timeout: 2s");
    let runner = road.start();
    let run = runner.accept("shop/ask", &json!({}));
    gate.wait_for(1);
    runner.until(&run, "suspended");
    runner.kill9();
    let runner = road.start();
    let run = runner.ended(&run);
    assert_eq!(run["error"]["code"], "SB0315", "{run:#}");
}

#[test]
fn cancelling_a_caller_cancels_what_it_waits_for() {
    let gate = Gate::closed();
    let road = road(&gate, "");
    let runner = road.start();
    let run = runner.accept("shop/ask", &json!({}));
    gate.wait_for(1);
    let callee = runner.until(&run, "suspended")["waits_for"][0].as_str().unwrap().to_owned();
    runner.cli(&["cancel", &run]).ends(0);
    assert_eq!(runner.ended(&run)["state"], "cancelled");
    assert_eq!(runner.ended(&callee)["state"], "cancelled");
}

#[test]
fn many_waiting_callers_take_no_place_of_others() {
    let gate = Gate::closed();
    let road = road(&gate, "");
    let runner = road.start();
    let runs: Vec<_> = (0..20).map(|_| runner.accept("shop/ask", &json!({}))).collect();
    for run in &runs {
        runner.until(run, "suspended");
    }
    assert_eq!(runner.result("shop/hello"), "hello from shop");
    gate.open();
    for run in &runs {
        assert_eq!(runner.ended(run)["state"], "succeeded");
    }
    assert_eq!(runner.result("shop/read"), json!([20, 20]));
}

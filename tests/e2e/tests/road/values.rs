//! Promises 3 and 4: values, counters, and ends that no script can talk its way out of.

use serde_json::{Value, json};
use signalbox_e2e::{Gate, Scene};

#[test]
fn numbers_and_texts_come_back_as_they_went_in() {
    let road = Scene::pair("", "")
        .file("ops/workspace.yaml", "exports:\n  echo.back: { flow: echo, callers: [domains] }\n")
        .script("ops/flows/echo.rhai", "state::set(\"kept\", inputs); state::get(\"kept\")")
        .file("shop/workspace.yaml", "uses: [echo.back]\n")
        .script("shop/flows/ask.rhai", "broker::request(\"echo.back\", inputs)")
        .road();
    let runner = road.start();
    let inputs = json!({
        "max": i64::MAX, "min": i64::MIN, "big": 9_007_199_254_740_993_i64,
        "tenth": 0.1, "sum": 0.1 + 0.2, "tiny": f64::MIN_POSITIVE, "huge": f64::MAX,
        "third": 1.0 / 3.0, "whole": 1.0, "zero": 0.0, "text": "ä\u{0}\u{1F600}\"\\\n",
        "list": [1, "two", null, true, [], {}], "map": { "": 1, "a b": { "c": [] } },
    });
    let run = runner.run("shop/ask", &inputs);
    assert_eq!(run["result"], inputs, "{run:#}");
    assert_eq!(run["inputs"], inputs);
}

#[test]
fn a_counter_counts_every_run_of_many_at_once() {
    let road = Scene::new(&[("ops", "platform", "limits: { concurrency: 8 }")])
        .script("ops/flows/count.rhai", "state::add(\"n\", 1)")
        .script(
            "ops/flows/swap.rhai",
            "loop {
    let seen = state::get(\"m\");
    let next = if seen == () { 1 } else { seen + 1 };
    if state::swap(\"m\", seen, next) { return next; }
}",
        )
        .road();
    let runner = road.start();
    let runs: Vec<_> = (0..100)
        .flat_map(|_| ["ops/count", "ops/swap"])
        .map(|flow| runner.accept(flow, &json!({})))
        .collect();
    let mut results: Vec<_> =
        runs.iter().map(|run| runner.ended(run)["result"].as_i64().unwrap_or(-1)).collect();
    results.sort_unstable();
    let expected: Vec<_> = (1..=100).flat_map(|number| [number, number]).collect();
    assert_eq!(results, expected);
}

/// A script that swallows whatever it can and goes on.
fn stubborn(gate: &Gate) -> String {
    format!(
        "for i in 0..3 {{
    try {{ {}; }} catch (e) {{ state::set(\"caught\", `${{e}}`); }}
}}
state::set(\"went on\", true);
`as if nothing had happened`",
        gate.ask()
    )
}

#[test]
fn a_cancelled_run_cannot_swallow_its_end() {
    let gate = Gate::closed();
    let road = Scene::new(&[("ops", "platform", &gate.grant())])
        .script("ops/flows/stubborn.rhai", &stubborn(&gate))
        .script("ops/flows/state.rhai", "state::list(\"\")")
        .road();
    let runner = road.start();
    let run = runner.accept("ops/stubborn", &json!({}));
    gate.wait_for(1);
    runner.cli(&["cancel", &run]).ends(0);
    let run = runner.ended(&run);
    assert_eq!((&run["state"], &run["result"]), (&json!("cancelled"), &Value::Null), "{run:#}");
    assert_eq!(runner.result("ops/state"), json!([]));
    assert_eq!(gate.requests().len(), 1);
}

#[test]
fn a_run_that_takes_too_long_cannot_swallow_its_end() {
    let gate = Gate::closed();
    let flow = "timeout: 1s\nscript: scripts/stubborn.rhai\n";
    let road = Scene::new(&[("ops", "platform", &gate.grant())])
        .file("ops/flows/slow.yaml", flow)
        .script("ops/scripts/stubborn.rhai", &stubborn(&gate))
        .script("ops/flows/state.rhai", "state::list(\"\")")
        .road();
    let runner = road.start();
    let run = runner.run("ops/slow", &json!({}));
    assert_eq!((&run["state"], &run["reason"]), (&json!("failed"), &json!("timed_out")), "{run:#}");
    assert_eq!(run["error"]["code"], "SB0502");
    assert_eq!(runner.result("ops/state"), json!([]));
}

#[test]
fn an_answer_that_takes_too_long_is_an_error_that_can_be_caught() {
    let gate = Gate::closed();
    let body = format!(
        "let told = `nothing`;
try {{ http::get(\"{}/\", #{{ timeout: 0.2 }}); }} catch (e) {{ told = `${{e}}`; }}
told",
        gate.url()
    );
    let road = Scene::new(&[("ops", "platform", &gate.grant())])
        .script("ops/flows/short.rhai", &body)
        .road();
    let told = road.start().result("ops/short");
    assert!(told.as_str().unwrap().starts_with("SB0509"), "{told}");
}

#[test]
fn steps_run_in_order_skip_by_condition_and_see_each_other() {
    let flow = "inputs: { loud: { type: boolean, default: false } }
output: { first: \"${steps.first.n}\", text: \"n is ${steps.first.n}\", shout: \"${steps.shout}\" }
steps:
  - { id: first, run: '#{ n: 41 + 1 }' }
  - { id: shout, when: inputs.loud, run: '`LOUD ${steps.first.n}`' }
  - { id: last, script: scripts/last.rhai, inputs: { from: \"${steps.first}\" } }
";
    let road = Scene::platform()
        .file("ops/flows/steps.yaml", flow)
        .script("ops/scripts/last.rhai", "state::set(\"last\", inputs.from.n); inputs.from.n")
        .script("ops/flows/read.rhai", "state::get(\"last\")")
        .road();
    let runner = road.start();
    let quiet = runner.run("ops/steps", &json!({}));
    assert_eq!(
        quiet["result"],
        json!({ "first": 42, "text": "n is 42", "shout": null }),
        "{quiet:#}"
    );
    let states: Vec<_> =
        quiet["steps"].as_array().unwrap().iter().map(|step| step["state"].clone()).collect();
    assert_eq!(states, ["succeeded", "skipped", "succeeded"]);
    let loud = runner.run("ops/steps", &json!({ "loud": true }));
    assert_eq!(loud["result"]["shout"], "LOUD 42");
    assert_eq!(runner.result("ops/read"), 42);
}

//! Promise 8, inside of a workspace: a run that kills its cells ends, and takes no other with it.

use serde_json::json;
use signalbox_e2e::{Gate, Scene};

/// A function that carries itself, twice as often each time: what it captures no bound counts.
const CURRIED: &str = "let all = [];
all.pad(9000, 0);
let f = |x| x;
f = f.curry(all);
for i in 0..16 { f = f.curry(f); }
1";

/// Keys of a map are never counted, nor are texts that are assigned by index.
const GREEDY: &str = "let m = #{};
let s = \"xxxxxxxxxxxxxxxx\";
for i in 0..16 { s += s; }
for i in 0..10000 { m[`k${i}` + s] = s + i; }
m.len()";

#[test]
fn a_script_that_kills_its_cell_fails_after_two_and_good_runs_go_on() {
    let road = Scene::platform()
        .script("ops/flows/curried.rhai", CURRIED)
        .script("ops/flows/greedy.rhai", GREEDY)
        .script("ops/flows/good.rhai", "state::add(\"good\", 1)")
        .road();
    let runner = road.start();
    let poison: Vec<_> =
        ["ops/curried", "ops/greedy"].iter().map(|flow| runner.accept(flow, &json!({}))).collect();
    for _ in 0..20 {
        runner.result("ops/good");
    }
    for id in poison {
        let run = runner.ended(&id);
        assert_eq!(run["state"], "failed", "{run:#}");
        assert_eq!(
            (&run["reason"], &run["error"]["code"]),
            (&json!("limit_exceeded"), &json!("SB0503"))
        );
        assert!(run["error"]["message"].as_str().unwrap().contains("twice"), "{run:#}");
    }
    assert_eq!(runner.result("ops/good"), 21);
}

#[test]
fn a_run_whose_cell_dies_twice_fails_with_that_reason() {
    let gate = Gate::closed();
    let road = Scene::new(&[("ops", "platform", &gate.grant())])
        .script("ops/flows/wait.rhai", &gate.ask())
        .road();
    let runner = road.start();
    let run = runner.accept("ops/wait", &json!({}));
    for round in 1..=2 {
        gate.wait_for(round);
        for cell in runner.cells() {
            cell.kill9();
        }
    }
    let run = runner.ended(&run);
    assert_eq!((&run["state"], &run["reason"]), (&json!("failed"), &json!("cell_lost")));
    assert_eq!(run["error"]["code"], "SB0504");
    assert_eq!(gate.requests().len(), 2);
    gate.open();
    runner.result("ops/wait");
}

#[test]
fn an_endless_loop_ends_at_its_bound() {
    let limits = "limits: { run_time: 2s, operations: 1000000000000 }";
    let road = Scene::new(&[("ops", "platform", limits)])
        .script("ops/flows/spin.rhai", "loop { }")
        .script("ops/flows/swallow.rhai", "loop { try { loop { } } catch (e) { } }")
        .road();
    let runner = road.start();
    for flow in ["ops/spin", "ops/swallow"] {
        let run = runner.run(flow, &json!({}));
        assert_eq!((&run["state"], &run["reason"]), (&json!("failed"), &json!("timed_out")));
        assert_eq!(run["error"]["code"], "SB0502");
    }
    assert_eq!(runner.result("ops/hello"), "hello from ops");
}

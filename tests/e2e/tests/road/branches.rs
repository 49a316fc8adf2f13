//! Parts of a run that go side by side, with the real cells, store and clock.

use serde_json::{Value, json};
use signalbox_e2e::{Gate, Runner, Scene, eventually};

/// Steps side by side, items side by side, tries, rounds, and a flow of its own.
const WHOLE: &str = r#"
inputs: { items: { type: array, default: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11] } }
steps:
  - id: each
    foreach: inputs.items
    parallel: 4
    run: |
      sleep("20ms");
      state::add(`item/${item}`, 1);
      item * 2
  - { id: nap, needs: [], run: 'sleep("50ms"); "nap"' }
  - { id: sub, needs: [], flow: sub, inputs: { n: 5 } }
  - id: flaky
    needs: [each, nap]
    retry: { attempts: 4, initial: 20ms, jitter: false }
    run: |
      let n = state::add("tries", 1);
      if n < 3 { throw `try ${n}` }
      n
  - id: rounds
    while: "last == () || last < 3"
    max: 9
    run: 'sleep("15ms"); index + 1'
output: { each: "${steps.each}", rounds: "${steps.rounds}" }
"#;

const SUB: &str = r#"
inputs: { n: { type: integer, required: true } }
steps:
  - { id: wait, sleep: 30ms }
  - { id: say, run: '"sub" + inputs.n' }
"#;

fn state(runner: &Runner<'_>, name: &str) -> Value {
    runner.run("ops/read", &json!({ "name": name }))["result"].clone()
}

#[test]
fn what_goes_side_by_side_waits_and_comes_back_whole() {
    let road = Scene::platform()
        .file("ops/flows/whole.yaml", WHOLE)
        .file("ops/flows/sub.yaml", SUB)
        .script("ops/flows/read.rhai", "state::get(inputs.name)")
        .road();
    let runner = road.start();
    let run = runner.run("ops/whole", &json!({}));
    assert_eq!(run["state"], "succeeded", "{run:#}");
    let each: Vec<_> = (0..12).map(|item| item * 2).collect();
    assert_eq!(run["result"], json!({ "each": each, "rounds": 3 }));
    for item in 0..12 {
        assert_eq!(state(&runner, &format!("item/{item}")), 1, "item {item}");
    }
    assert_eq!(state(&runner, "tries"), 3);
    assert_eq!(runner.list("/runs?flow=sub&limit=10").len(), 1);
}

#[test]
fn branches_go_on_after_a_kill_and_do_everything_once() {
    let gate = Gate::closed();
    let body = format!(
        "let asked = [];
for number in 0..6 {{
    let at = number;
    asked.push(|| {{
        let mine = state::add(`branch/${{at}}/before`, 1);
        http::post(\"{}/\", #{{ at: at }});
        [mine, state::add(`branch/${{at}}/after`, 1), at]
    }});
}}
parallel(asked)",
        gate.url()
    );
    let road = Scene::new(&[("ops", "platform", &gate.grant())])
        .script("ops/flows/ask.rhai", &body)
        .script("ops/flows/read.rhai", "state::get(inputs.name)")
        .road();
    let runner = road.start();
    let run = runner.accept("ops/ask", &json!({}));
    gate.wait_for(6);
    runner.kill9();
    gate.open();
    let runner = road.start();
    let run = runner.ended(&run);
    assert_eq!(run["state"], "succeeded", "{run:#}");
    for at in 0..6 {
        assert_eq!(run["result"][at], json!([1, 1, at]), "{run:#}");
        assert_eq!(state(&runner, &format!("branch/{at}/before")), 1);
        assert_eq!(state(&runner, &format!("branch/{at}/after")), 1);
    }
    // Each branch asked the world again, with its own key.
    let mut keys: Vec<_> = gate
        .requests()
        .iter()
        .map(|request| request.header("idempotency-key").unwrap_or_default().to_owned())
        .collect();
    assert_eq!(keys.len(), 12);
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), 6, "{keys:?}");
}

#[test]
fn a_run_whose_branches_all_wait_holds_no_cell_and_is_cancelled_whole() {
    let body = "parallel([|| sleep(\"1h\"), || flow::run(\"long\"), || parallel([|| sleep(\"2h\"), || 1])])";
    let road = Scene::platform()
        .script("ops/flows/wait.rhai", body)
        .script("ops/flows/long.rhai", "sleep(\"3h\")")
        .road();
    let runner = road.start();
    let run = runner.accept("ops/wait", &json!({}));
    eventually("all of it waits", || {
        let runs = runner.list("/runs?state=suspended&limit=10");
        (runs.len() == 2).then_some(())
    });
    assert_eq!(runner.show(&run)["waits"].as_array().map(Vec::len), Some(3));
    let runner = {
        runner.kill9();
        road.start()
    };
    runner.post(&format!("/runs/{run}/cancel"), &json!({})).expect(202);
    assert_eq!(runner.ended(&run)["state"], "cancelled");
    let long = runner.list("/runs?flow=long&limit=10");
    assert_eq!(runner.ended(long[0]["id"].as_str().unwrap())["state"], "cancelled");
}

//! Failed runs that wait for somebody: listed, started again whole or from a step, dismissed.

use serde_json::{Value, json};
use signalbox_e2e::{Road, Runner, Scene};

fn road() -> Road {
    Scene::platform()
        .file(
            "ops/flows/three.yaml",
            "inputs: { n: { type: integer, default: 1 } }\nsteps:\n  \
             - { id: fetch, run: 'state::add(\"fetched\", 1)' }\n  \
             - { id: sum, run: 'steps.fetch + inputs.n' }\n  \
             - { id: deliver, run: 'if inputs.n < 5 { throw \"no\" } [steps.fetch, steps.sum, inputs.n]' }\n",
        )
        .script("ops/flows/bad.rhai", "throw \"no\"")
        .script("ops/flows/fetched.rhai", "state::get(\"fetched\")")
        .road()
}

fn dead(runner: &Runner<'_>) -> Vec<String> {
    let ids = runner.list("/runs?dead=true").into_iter();
    ids.map(|run| run["id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_run_is_started_again_from_a_step_with_other_inputs() {
    let road = road();
    let runner = road.start();
    let failed = runner.run("ops/three", &json!({}));
    let id = failed["id"].as_str().unwrap();
    assert_eq!(dead(&runner), [id]);
    let said = runner.cli(&["rerun", id, "--from", "delivr"]).ends(1);
    assert!(said.stderr.contains("did you mean `deliver`?"), "{}", said.stderr);
    let said = runner.cli(&["rerun", id, "--input", "n=many"]).ends(1);
    assert!(said.stderr.contains("SB0"), "{}", said.stderr);
    assert_eq!(dead(&runner), [id], "nothing was started");
    let said = runner.cli(&["rerun", id, "--from", "deliver", "--input", "n=7"]).ends(0);
    let again = runner.ended(said.stdout.trim());
    assert_eq!(again["result"], json!([1, 2, 7]), "{again:#}");
    assert_eq!(again["trigger"], json!({ "kind": "retry", "of": id }));
    let steps: Vec<_> = again["steps"].as_array().unwrap().iter().map(|step| &step["id"]).collect();
    assert_eq!(steps, ["fetch", "sum", "deliver"]);
    assert_eq!(runner.result("ops/fetched"), json!(1), "fetched once");
    assert!(dead(&runner).is_empty());
    let from_sum =
        runner.post(&format!("/runs/{id}/rerun"), &json!({ "from": "sum", "inputs": { "n": 9 } }));
    let from_sum = runner.ended(from_sum.expect(202)["id"].as_str().unwrap());
    assert_eq!(from_sum["result"], json!([1, 10, 9]), "{from_sum:#}");
}

#[test]
fn dead_letters_are_dealt_with_one_by_one_or_all_at_once() {
    let road = road();
    let runner = road.start();
    for _ in 0..5 {
        runner.error("ops/bad");
    }
    let three = runner.run("ops/three", &json!({}))["id"].as_str().unwrap().to_owned();
    let all = dead(&runner);
    assert_eq!(all.len(), 6);
    runner.cli(&["dismiss", &three]).ends(0);
    let problem = runner.post(&format!("/runs/{three}/dismiss"), &json!({})).expect(409);
    assert!(problem["detail"].as_str().unwrap().contains("was dealt with"), "{problem}");
    runner.cli(&["rerun", "--dead", "-w", "ops"]).ends(2);
    assert_eq!(dead(&runner).len(), 5, "nobody said yes");
    let said =
        runner.cli(&["rerun", "--dead", "-w", "ops", "-f", "bad", "--yes", "--json"]).ends(0);
    let answer: Value = serde_json::from_str(&said.stdout).unwrap();
    assert_eq!(answer.as_array().unwrap().len(), 5, "{answer:#}");
    for run in answer.as_array().unwrap() {
        runner.ended(run["new"].as_str().unwrap());
    }
    let again = dead(&runner);
    assert_eq!(again.len(), 5, "they failed again");
    assert!(again.iter().all(|run| !all.contains(run)));
    runner.cli(&["dismiss", "--dead", "-w", "ops", "-y"]).ends(0);
    assert!(dead(&runner).is_empty());
    let said = runner.cli(&["runs", "--dead"]).ends(0);
    assert!(!said.stdout.contains("bad"), "{}", said.stdout);
}

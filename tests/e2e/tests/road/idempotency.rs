//! The same key starts one run, whoever dies in between.

use serde_json::{Value, json};
use signalbox_e2e::{Runner, Scene};
use signalbox_testkit::Answer;

const START: &str = "/workspaces/shop/flows/order/runs";

fn scene() -> Scene {
    Scene::pair("", "").script("shop/flows/order.rhai", "state::add(\"orders\", 1)")
}

fn order(runner: &Runner<'_>, key: &str, inputs: &Value) -> Answer {
    runner.post(START, &json!({ "inputs": inputs, "idempotency_key": key }))
}

#[test]
fn the_same_key_starts_one_run() {
    let road = scene().road();
    let runner = road.start();
    let first = order(&runner, "a", &json!({ "n": 1 })).expect(202);
    let again = order(&runner, "a", &json!({ "n": 1 })).expect(202);
    assert_eq!(first["id"], again["id"]);
    assert_ne!(first["id"], order(&runner, "b", &json!({ "n": 1 })).expect(202)["id"]);
    assert_eq!(runner.list("/runs").len(), 2);
}

#[test]
fn the_same_key_after_a_kill_is_the_same_run() {
    let road = scene().road();
    let runner = road.start();
    let first = order(&runner, "a", &json!({})).expect(202);
    runner.kill9();
    let runner = road.start();
    assert_eq!(order(&runner, "a", &json!({})).expect(202)["id"], first["id"]);
    assert_eq!(runner.ended(first["id"].as_str().unwrap())["result"], 1);
    assert_eq!(runner.list("/runs").len(), 1);
}

#[test]
fn a_key_with_other_inputs_is_a_conflict() {
    let road = scene().road();
    let runner = road.start();
    order(&runner, "a", &json!({ "n": 1 })).expect(202);
    let problem = order(&runner, "a", &json!({ "n": 2 })).expect(409);
    assert_eq!(problem["code"], "SB0608");
}

#[test]
fn a_key_is_of_its_flow() {
    let road = scene().road();
    let runner = road.start();
    let first = order(&runner, "a", &json!({})).expect(202);
    let other = json!({ "idempotency_key": "a" });
    let second = runner.post("/workspaces/shop/flows/hello/runs", &other).expect(202);
    let third = runner.post("/workspaces/ops/flows/hello/runs", &other).expect(202);
    assert!(first["id"] != second["id"] && second["id"] != third["id"]);
}

#[test]
fn the_header_says_the_same_as_the_body() {
    let road = scene().road();
    let runner = road.start();
    let first = order(&runner, "a", &json!({})).expect(202);
    let client = runner.client().clone().header("idempotency-key", "a");
    let path = format!("/api/v1{START}");
    assert_eq!(client.post(&path, &json!({})).expect(202)["id"], first["id"]);
    client.post(&path, &json!({ "idempotency_key": "b" })).expect(400);
}

#[test]
fn many_at_once_with_one_key_start_one_run() {
    let road = scene().road();
    let runner = road.start();
    let ids = std::thread::scope(|scope| {
        let sending: Vec<_> =
            (0..16).map(|_| scope.spawn(|| order(&runner, "a", &json!({})).expect(202))).collect();
        sending.into_iter().map(|one| one.join().unwrap()["id"].clone()).collect::<Vec<_>>()
    });
    assert!(ids.windows(2).all(|pair| pair[0] == pair[1]), "{ids:?}");
    assert_eq!(runner.ended(ids[0].as_str().unwrap())["result"], 1);
}

#[test]
fn keys_have_a_bound() {
    let road = scene().road();
    let runner = road.start();
    for key in ["", &"x".repeat(201)] {
        let answer = order(&runner, key, &json!({}));
        assert_eq!(answer.status, 400, "{}", answer.text);
    }
}

#[test]
fn the_command_line_takes_a_key() {
    let road = scene().road();
    let runner = road.start();
    let run = ["run", "shop/order", "--idempotency-key", "k", "--wait", "--json"];
    let first = runner.cli(&run).ends(0).json();
    let again = runner.cli(&run).ends(0).json();
    assert_eq!((&first["id"], &first["result"]), (&again["id"], &again["result"]));
}

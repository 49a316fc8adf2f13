//! Promise 8, in a crowd: one run that kills every cell it meets, among a thousand good ones.

use std::collections::BTreeMap;
use std::thread;

use serde_json::{Value, json};
use signalbox_e2e::{Road, Runner, Scene, eventually};
use signalbox_testkit::Client;

/// Good runs.
const CROWD: usize = 1_000;
/// Clients that start them.
const CLIENTS: usize = 4;

/// `ops/good` counts itself under its own name; `ops/poison` doubles what it captures until the
/// kernel gives its cell no more memory.
fn road() -> Road {
    let poison = "let all = []; all.pad(9000, 0);
let f = |x| x;
f = f.curry(all);
for i in 0..16 { f = f.curry(f); }
1";
    Scene::new(&[("ops", "platform", "limits: { concurrency: 4 }")])
        .script("ops/flows/good.rhai", "state::add(`good/${inputs.n}`, 1)")
        .script("ops/flows/poison.rhai", poison)
        .script(
            "ops/flows/tally.rhai",
            "let all = #{}; for name in state::list(\"good/\") { all[name] = state::get(name); } all",
        )
        .road()
}

/// Starts every n-th good run, and the poison in the middle of the first client's.
fn start(client: &Client, of: usize) -> Vec<String> {
    let flow = |name: &str| format!("/api/v1/workspaces/ops/flows/{name}/runs");
    let mut ids = Vec::new();
    for n in (of..CROWD).step_by(CLIENTS) {
        let body = json!({ "inputs": { "n": n } });
        let answer = client.post(&flow("good"), &body).expect(202);
        ids.push(answer["id"].as_str().unwrap().to_owned());
        if n == CROWD / 2 {
            client.post(&flow("poison"), &json!({})).expect(202);
        }
    }
    ids
}

fn tally(runner: &Runner<'_>) -> BTreeMap<String, Value> {
    let result = runner.result("ops/tally");
    result.as_object().unwrap().clone().into_iter().collect()
}

#[test]
fn a_poison_run_among_a_thousand_ends_in_the_dead_letters_and_the_others_succeed_once() {
    let road = road();
    let runner = road.start();
    let good: Vec<String> = thread::scope(|scope| {
        let client = runner.client();
        let clients: Vec<_> =
            (0..CLIENTS).map(|of| scope.spawn(move || start(client, of))).collect();
        clients.into_iter().flat_map(|client| client.join().unwrap()).collect()
    });
    assert_eq!(good.len(), CROWD);
    for id in &good {
        let run = runner.ended(id);
        assert_eq!((&run["state"], &run["result"]), (&json!("succeeded"), &json!(1)), "{run:#}");
    }
    let counted = tally(&runner);
    assert_eq!(counted.len(), CROWD, "each of them once, and nothing else");
    assert!(counted.values().all(|count| *count == 1), "{counted:?}");
    let dead = eventually("the poison is dead", || {
        Some(runner.list("/runs?dead=true")).filter(|dead| !dead.is_empty())
    });
    let [poison] = dead.as_slice() else { panic!("one run is dead: {dead:#?}") };
    let poison = runner.ended(poison["id"].as_str().unwrap());
    assert_eq!(poison["flow"], "poison");
    assert_eq!(
        (&poison["state"], &poison["reason"], &poison["error"]["code"]),
        (&json!("failed"), &json!("limit_exceeded"), &json!("SB0503"))
    );
    assert!(poison["error"]["message"].as_str().unwrap().contains("twice"), "{poison:#}");
}

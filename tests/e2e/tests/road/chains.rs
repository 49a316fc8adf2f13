//! Time and other runs in the combinations that surprise: runs that go on as others while somebody
//! wants their end, deadlines that passed while nobody was there, pauses that are too long.

use std::time::Duration;

use serde_json::{Value, json};
use signalbox_e2e::{Road, Runner, Scene, eventually, pause};
use signalbox_testkit::{HttpStub, Response};

/// A chain that goes on until it is stopped, and flows that wait for it.
fn road() -> Road {
    let endless = "inputs: { n: { type: integer, default: 0 } }\n\
                   run: 'state::set(\"at\", inputs.n); continue_as(#{ n: inputs.n + 1 })'\n";
    Scene::platform()
        .file("ops/flows/endless.yaml", endless)
        .file(
            "ops/flows/keyed.yaml",
            format!("concurrency: {{ limit: 1, when_full: cancel_running }}\n{endless}"),
        )
        .file("ops/flows/waits.yaml", "steps:\n  - { id: a, flow: endless }\n")
        .file("ops/flows/late.yaml", "deadline: 12s\nrun: 'sleep(\"1h\")'\n")
        .file(
            "ops/flows/spent.yaml",
            "retry: { attempts: 100, backoff: fixed, initial: 300ms, jitter: false, budget: 1s }\n\
             run: 'throw \"no\"'\n",
        )
        .script("ops/flows/aeon.rhai", "sleep_until(\"2999-01-01T00:00:00Z\")")
        .script("ops/flows/many.rhai", "for i in 0..1100 { flow::start(\"late\") }")
        .road()
}

/// Runs of a flow that have not ended.
fn open(runner: &Runner<'_>, flow: &str) -> Vec<Value> {
    let states = ["queued", "running", "suspended"];
    let of = |state| runner.list(&format!("/runs?flow={flow}&state={state}&limit=1000"));
    states.into_iter().flat_map(of).collect()
}

/// One that has not ended just now; a chain may be between two of its runs.
fn some(runner: &Runner<'_>, flow: &str) -> String {
    eventually(&format!("a run of {flow}"), || {
        open(runner, flow).first().map(|run| run["id"].as_str().unwrap().to_owned())
    })
}

#[test]
fn a_chain_that_is_cancelled_ends_wherever_it_is() {
    let road = road();
    let runner = road.start();
    for _ in 0..10 {
        runner.accept("ops/endless", &json!({}));
        let answer = eventually("a run of the chain is there to cancel", || {
            let run = some(&runner, "endless");
            let answer = runner.post(&format!("/runs/{run}/cancel"), &json!({}));
            (answer.status == 202).then_some(answer)
        });
        answer.expect(202);
        assert_eq!(open(&runner, "endless"), Vec::<Value>::new());
    }
}

#[test]
fn a_chain_that_is_waited_for_is_cancelled_with_whoever_waits() {
    let road = road();
    let runner = road.start();
    for _ in 0..10 {
        let run = runner.accept("ops/waits", &json!({}));
        runner.until(&run, "suspended");
        runner.post(&format!("/runs/{run}/cancel"), &json!({})).expect(202);
        assert_eq!(runner.ended(&run)["state"], "cancelled");
        assert_eq!(open(&runner, "endless"), Vec::<Value>::new());
    }
}

#[test]
fn a_chain_yields_to_a_newer_run_of_its_key() {
    let road = road();
    let runner = road.start();
    runner.accept("ops/keyed", &json!({}));
    for n in [1_000_000, 2_000_000, 3_000_000] {
        let newer = runner.accept("ops/keyed", &json!({ "n": n }));
        runner.ended(&newer);
        let all_newer = |run: &Value| run["inputs"]["n"].as_i64().is_none_or(|at| at >= n);
        let ids = open(&runner, "keyed").into_iter().map(|run| run["id"].clone());
        let left: Vec<_> = ids.map(|id| runner.show(id.as_str().unwrap())).collect();
        assert!(left.iter().all(all_newer), "{left:#?}");
    }
}

#[test]
fn more_deadlines_than_one_look_takes_end_their_runs() {
    let road = road();
    let runner = road.start();
    runner.run("ops/many", &json!({}));
    // Nobody has any of them: none looks at its deadline itself.
    eventually("all are asleep", || {
        let begun = |state| runner.list(&format!("/runs?flow=late&state={state}&limit=1"));
        (begun("queued").is_empty() && begun("running").is_empty()).then_some(())
    });
    runner.kill9();
    // Longer than the deadline of the last one.
    pause(Duration::from_secs(12));
    let runner = road.start();
    eventually("all are over", || open(&runner, "late").is_empty().then_some(()));
    let late = runner.list("/runs?flow=late&state=failed&limit=1000");
    assert_eq!(late.len(), 1_000, "a page");
    assert!(late.iter().all(|run| run["reason"] == "timed_out"));
}

#[test]
fn a_sleep_beyond_a_year_is_refused() {
    let road = road();
    let runner = road.start();
    let ended = runner.run("ops/aeon", &json!({}));
    assert_eq!((&ended["state"], &ended["error"]["code"]), (&json!("failed"), &json!("SB0503")));
    assert!(ended["error"]["message"].as_str().unwrap().contains("a year at most"), "{ended:#}");
}

#[test]
fn a_flow_waits_for_as_long_as_it_is_asked_to_and_not_beyond_its_time() {
    let busy = HttpStub::start(|_| Response::status(429).header("retry-after", "3600"));
    let flow = |settings: &str, retry: &str| {
        let ask = format!("let r = http::get(\"{}/\"); throw `status ${{r.status}}`", busy.url());
        let retry = format!("{{ attempts: 3, initial: 1ms, jitter: false{retry} }}");
        format!("{settings}retry: {retry}\nrun: {}\n", json!(ask))
    };
    let road = Scene::new(&[("ops", "platform", &format!("network: [\"{}\"]", busy.url()))])
        .file("ops/flows/plain.yaml", flow("", ""))
        .file("ops/flows/deadline.yaml", flow("deadline: 30m\n", ""))
        .file("ops/flows/budget.yaml", flow("", ", budget: 30m"))
        .road();
    let runner = road.start();
    for name in ["ops/deadline", "ops/budget"] {
        let ended = runner.run(name, &json!({}));
        assert_eq!(
            (&ended["state"], &ended["attempt"]),
            (&json!("failed"), &json!(1)),
            "{ended:#}"
        );
        assert_eq!(ended["error"]["message"], "status 429");
    }
    let run = runner.accept("ops/plain", &json!({}));
    let waits = runner.until(&run, "suspended");
    assert_eq!((&waits["reason"], &waits["attempt"]), (&json!("waiting_retry"), &json!(1)));
    assert_eq!(busy.requests().len(), 3, "each asked once");
}

#[test]
fn no_attempt_of_a_flow_begins_after_its_budget() {
    let road = road();
    let runner = road.start();
    let ended = runner.run("ops/spent", &json!({}));
    assert_eq!(ended["state"], "failed", "{ended:#}");
    // Three pauses fit into the budget; on a slow machine fewer.
    assert!((1..=4).contains(&ended["attempt"].as_i64().unwrap()), "{ended:#}");
}

#[test]
fn a_timeout_counts_the_time_before_a_wait_and_not_the_wait() {
    let slow = HttpStub::start(|_| {
        pause(Duration::from_millis(300));
        Response::status(200)
    });
    let ask = format!("http::get(\"{}/\");", slow.url());
    let flow = |timeout: &str, code: &str| format!("timeout: {timeout}\nrun: {}\n", json!(code));
    let road = Scene::new(&[("ops", "platform", &format!("network: [\"{}\"]", slow.url()))])
        .file("ops/flows/twice.yaml", flow("500ms", &format!("{ask} sleep(\"200ms\"); {ask} 1")))
        .file("ops/flows/naps.yaml", flow("4s", &format!("sleep(\"5s\"); {ask} 1")))
        .road();
    let runner = road.start();
    let naps = runner.accept("ops/naps", &json!({}));
    let twice = runner.run("ops/twice", &json!({}));
    assert_eq!((&twice["state"], &twice["reason"]), (&json!("failed"), &json!("timed_out")));
    assert_eq!(runner.ended(&naps)["state"], "succeeded");
}

#[test]
fn a_handler_that_fails_starts_no_handler_of_its_own() {
    let road = Scene::platform()
        .file("ops/flows/first.yaml", "on_failure: second\nrun: 'throw \"1\"'\n")
        .file("ops/flows/second.yaml", "on_failure: third\nrun: 'throw \"2\"'\n")
        .script("ops/flows/third.rhai", "3")
        .road();
    let runner = road.start();
    runner.run("ops/first", &json!({}));
    let second = runner.list("/runs?flow=second").remove(0);
    assert_eq!(runner.ended(second["id"].as_str().unwrap())["state"], "failed");
    // What handles an end starts in the commit of that end.
    assert_eq!(runner.list("/runs?flow=third"), Vec::<Value>::new());
    runner.run("ops/second", &json!({}));
    assert_eq!(runner.list("/runs?flow=third").len(), 1, "asked for, it is handled");
}

#[test]
fn inputs_of_sub_flows_and_successors_are_checked() {
    let strict = "inputs: { n: { type: integer, required: true } }\n\
                  run: 'if inputs.n == 0 { continue_as(#{ n: \"none\" }) } inputs.n'\n";
    let road = Scene::platform()
        .file("ops/flows/strict.yaml", strict)
        .script("ops/flows/asks.rhai", "let name = \"strict\"; flow::run(name, #{ n: \"one\" })")
        .road();
    let runner = road.start();
    for (flow, inputs) in [("ops/asks", json!({})), ("ops/strict", json!({ "n": 0 }))] {
        let ended = runner.run(flow, &inputs);
        assert_eq!(ended["state"], "failed", "{ended:#}");
        let said = ended["error"]["message"].as_str().unwrap();
        assert!(said.contains("does not take these inputs"), "{said}");
    }
    assert_eq!(runner.list("/runs?flow=strict").len(), 1);
}

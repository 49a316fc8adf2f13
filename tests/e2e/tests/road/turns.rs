//! Limits on keys, debounce and priority, however a run is started; and what is said about runs
//! that wait.

use serde_json::{Value, json};
use signalbox_e2e::{Gate, Road, Runner, Scene, eventually};

/// A flow `job` with settings of its own, which asks the gate.
fn road(gate: &Gate, settings: &str) -> Road {
    let job = format!(
        "inputs: {{ key: {{ type: string, default: a }} }}\n{settings}\nrun: {}\n",
        json!(gate.ask())
    );
    Scene::new(&[("ops", "platform", &gate.grant())]).file("ops/flows/job.yaml", job).road()
}

fn why(runner: &Runner<'_>, run: &str, code: &str) -> Value {
    eventually(&format!("{run} says {code}"), || {
        Some(runner.show(run))
            .filter(|run| run["why"]["code"] == code)
            .map(|run| run["why"].clone())
    })
}

#[test]
fn a_key_lets_in_one_run_and_says_whom_the_others_wait_for() {
    let gate = Gate::closed();
    let road = road(&gate, "concurrency: { limit: 1, key: \"${inputs.key}\" }");
    let runner = road.start();
    let first = runner.accept("ops/job", &json!({ "key": "x" }));
    gate.wait_for(1);
    let second = runner.accept("ops/job", &json!({ "key": "x" }));
    let third = runner.accept("ops/job", &json!({ "key": "x" }));
    let other = runner.accept("ops/job", &json!({ "key": "y" }));
    gate.wait_for(2);
    assert_eq!(runner.show(&other)["state"], "running", "another key");
    let said = why(&runner, &third, "key_full");
    assert_eq!(said["runs"], json!([first]));
    let words = said["text"].as_str().unwrap();
    assert_eq!(
        words,
        format!("the key `x` takes 1 run at once, and {first} has it; 1 waiting run goes first")
    );
    let queue = runner.list("/queue").remove(0);
    assert_eq!(
        (&queue["running"], &queue["queued"], &queue["ready"]),
        (&json!(2), &json!(2), &json!(0))
    );
    let of_x = &queue["keys"][0];
    assert_eq!((&of_x["key"], &of_x["holders"]), (&json!("x"), &json!([first])));
    assert_eq!(of_x["queued"], json!([second, third]));
    let shown = runner.cli(&["show", &third]).ends(0);
    assert!(shown.stdout.contains("why       the key `x`"), "{}", shown.stdout);
    let listed = runner.cli(&["runs", "--state", "queued"]).ends(0);
    assert!(listed.stdout.contains("key full"), "{}", listed.stdout);
    let queue = runner.cli(&["queue"]).ends(0);
    assert!(queue.stdout.contains(&first) && queue.stdout.contains("READY"), "{}", queue.stdout);
    gate.open();
    for run in [&first, &second, &third, &other] {
        assert_eq!(runner.ended(run)["state"], "succeeded");
    }
    let started = |run: &str| runner.show(run)["started_at"].as_str().unwrap().to_owned();
    let ended = |run: &str| runner.show(run)["ended_at"].as_str().unwrap().to_owned();
    assert!(started(&second) >= ended(&first) && started(&third) >= ended(&second), "side by side");
    assert!(runner.list("/queue").is_empty());
}

#[test]
fn a_key_survives_a_kill() {
    let gate = Gate::closed();
    let road = road(&gate, "concurrency: 1");
    let runner = road.start();
    let runs: Vec<_> = (0..3).map(|_| runner.accept("ops/job", &json!({}))).collect();
    gate.wait_for(1);
    runner.kill9();
    let runner = road.start();
    gate.wait_for(2);
    let said = why(&runner, &runs[2], "key_full");
    assert_eq!(said["runs"], json!([runs[0]]), "what ran goes on, alone");
    assert_eq!(gate.requests().len(), 2);
    gate.open();
    for run in &runs {
        assert_eq!(runner.ended(run)["state"], "succeeded");
    }
    assert_eq!(gate.requests().len(), 4);
}

#[test]
fn a_full_key_skips_and_says_for_whom() {
    let gate = Gate::closed();
    let road = road(&gate, "concurrency: { limit: 1, when_full: skip }");
    let runner = road.start();
    let first = runner.accept("ops/job", &json!({}));
    let second = runner.run("ops/job", &json!({}));
    assert_eq!(
        (&second["state"], &second["reason"]),
        (&json!("skipped"), &json!("concurrency_limit"))
    );
    assert_eq!(second["why"]["runs"], json!([first]));
    gate.open();
    assert_eq!(runner.ended(&first)["state"], "succeeded");
    assert_eq!(runner.run("ops/job", &json!({}))["state"], "succeeded");
}

#[test]
fn a_newer_run_has_the_running_one_cancelled_and_then_runs() {
    let gate = Gate::closed();
    let road = road(&gate, "concurrency: { limit: 1, when_full: cancel_running }");
    let runner = road.start();
    let first = runner.accept("ops/job", &json!({}));
    gate.wait_for(1);
    let second = runner.accept("ops/job", &json!({}));
    let ended = runner.ended(&first);
    assert_eq!((&ended["state"], &ended["reason"]), (&json!("cancelled"), &json!("superseded")));
    assert_eq!(ended["why"]["text"], format!("it was cancelled for run {second}"));
    gate.wait_for(2);
    gate.open();
    let second = runner.ended(&second);
    assert_eq!(second["state"], "succeeded");
    assert!(second["started_at"].as_str() >= ended["ended_at"].as_str(), "side by side");
}

#[test]
fn a_run_that_waits_for_a_call_yields_too_with_what_it_waits_for() {
    let gate = Gate::closed();
    let road = Scene::pair(&gate.grant(), "")
        .file("ops/workspace.yaml", "exports:\n  slow.job: { flow: job, callers: [domains] }\n")
        .script("ops/flows/job.rhai", &gate.ask())
        .file("shop/workspace.yaml", "uses: [slow.job]\n")
        .file(
            "shop/flows/ask.yaml",
            "concurrency: { limit: 1, when_full: cancel_running }\ncall: { service: slow.job }\n",
        )
        .road();
    let runner = road.start();
    let first = runner.accept("shop/ask", &json!({}));
    let waiting = runner.until(&first, "suspended");
    let said = &waiting["why"];
    assert_eq!((&said["code"], &said["runs"]), (&json!("waiting_call"), &waiting["waits_for"]));
    assert!(said["text"].as_str().unwrap().contains("of `ops/job`, running (called "), "{said:#}");
    let callee = waiting["waits_for"][0].as_str().unwrap().to_owned();
    let second = runner.accept("shop/ask", &json!({}));
    assert_eq!(runner.ended(&first)["reason"], "superseded");
    assert_eq!(runner.ended(&callee)["state"], "cancelled");
    gate.open();
    assert_eq!(runner.ended(&second)["state"], "succeeded");
}

#[test]
fn the_last_of_a_burst_runs_alone() {
    let gate = Gate::closed();
    gate.open();
    let road = road(&gate, "debounce: 2s");
    let runner = road.start();
    let runs: Vec<_> = (0..4).map(|_| runner.accept("ops/job", &json!({}))).collect();
    let last = runs.last().unwrap();
    let said = why(&runner, last, "debounce");
    assert!(said["until"].is_string(), "{said:#}");
    for (run, next) in runs.iter().zip(&runs[1..]) {
        let replaced = runner.show(run);
        assert_eq!(
            (&replaced["state"], &replaced["reason"]),
            (&json!("skipped"), &json!("superseded"))
        );
        assert_eq!(replaced["why"]["runs"], json!([next]));
    }
    assert_eq!(runner.ended(last)["state"], "succeeded");
    assert_eq!(gate.requests().len(), 1);
}

#[test]
fn called_and_scheduled_runs_take_turns_like_any_other() {
    let gate = Gate::closed();
    let road = Scene::pair(&gate.grant(), "")
        .file("ops/workspace.yaml", "exports:\n  slow.job: { flow: job, callers: [domains] }\n")
        .file(
            "ops/flows/job.yaml",
            format!(
                "concurrency: {{ limit: 1, when_full: skip }}\nschedules: [{{ cron: '* * * * * *' }}]\nrun: {}\n",
                json!(gate.ask())
            ),
        )
        .file("shop/workspace.yaml", "uses: [slow.job]\n")
        .file("shop/flows/ask.yaml", "call: { service: slow.job }\n")
        .road();
    let runner = road.start();
    gate.wait_for(1);
    eventually("a slot is skipped", || {
        let skipped = runner.list("/runs?workspace=ops&state=skipped");
        skipped.iter().any(|run| run["trigger"]["kind"] == "schedule").then_some(())
    });
    let asked = runner.run("shop/ask", &json!({}));
    assert_eq!((&asked["state"], &asked["error"]["code"]), (&json!("failed"), &json!("SB0314")));
    assert_eq!(runner.list("/calls")[0]["state"], "skipped");
    assert_eq!(gate.requests().len(), 1, "one at once");
    gate.open();
}

#[test]
fn urgent_runs_go_first() {
    let gate = Gate::closed();
    let flow = |priority: i32, name: &str| {
        format!(
            "priority: {priority}\nrun: |\n  state::set(\"order\", (state::get(\"order\") ?? []) + [\"{name}\"]);\n"
        )
    };
    let grants = format!("{}, limits: {{ concurrency: 1 }}", gate.grant());
    let road = Scene::new(&[("ops", "platform", &grants)])
        .script("ops/flows/job.rhai", &gate.ask())
        .file("ops/flows/low.yaml", flow(-10, "low"))
        .file("ops/flows/high.yaml", flow(10, "high"))
        .script("ops/flows/read.rhai", "state::get(\"order\")")
        .road();
    let runner = road.start();
    runner.accept("ops/job", &json!({}));
    gate.wait_for(1);
    let low = runner.accept("ops/low", &json!({}));
    let high = runner.accept("ops/high", &json!({}));
    let said = why(&runner, &low, "concurrency");
    assert!(
        said["text"].as_str().unwrap().contains("1 run of its workspace goes first"),
        "{said:#}"
    );
    gate.open();
    runner.ended(&low);
    runner.ended(&high);
    assert_eq!(runner.result("ops/read"), json!(["high", "low"]));
}

#[test]
fn platform_runs_that_wait_for_domain_flows_that_call_the_platform_do_not_lock_up() {
    let grants = "limits: { concurrency: 2 }";
    let road = Scene::new(&[("ops", "platform", grants), ("shop", "domain", grants)])
        .file(
            "ops/workspace.yaml",
            "exports:\n  note.take: { flow: note, callers: [domains] }\nmay_start: { shop: [work] }\n",
        )
        .script("ops/flows/note.rhai", "state::add(\"notes\", 1)")
        .script("ops/flows/read.rhai", "state::get(\"notes\")")
        .file("ops/flows/ask.yaml", "concurrency: 16\ncall: { workspace: shop, flow: work }\n")
        .file("shop/workspace.yaml", "uses: [note.take]\naccepts: [work]\n")
        .file("shop/flows/work.yaml", "concurrency: 2\ncall: { service: note.take }\n")
        .road();
    let runner = road.start();
    let runs: Vec<_> = (0..16).map(|_| runner.accept("ops/ask", &json!({}))).collect();
    for run in &runs {
        assert_eq!(runner.ended(run)["state"], "succeeded");
    }
    assert_eq!(runner.result("ops/read"), json!(16));
}

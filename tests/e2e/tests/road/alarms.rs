//! Alarms: a workspace that is unhealthy and a flow that is absent are told of once, and so is their
//! end, whatever is killed.

use serde_json::{Value, json};
use signalbox_e2e::{Road, Runner, Scene, eventually};

const ORDER: &str = "\
inputs: { fail: { type: boolean, default: false } }
run: |
  if inputs.fail { throw \"no more of it\" }
  7
";

const ALERT: &str = "\
inputs:
  alert_type: { type: string, required: true }
  severity: { type: string, enum: [low, high, critical], default: low }
  message: { type: string, required: true, max_length: 4000 }
  breaches: { type: array }
run: inputs.message
";

fn road() -> Road {
    Scene::pair("", "")
        .file(
            "ops/workspace.yaml",
            "exports: { alerts.send: { flow: alert, callers: [domains] } }\n\
             health: { error_rate: 50%, window: 1m, notify: [alert, note] }\n",
        )
        .file("ops/flows/alert.yaml", ALERT)
        .file("ops/flows/order.yaml", ORDER)
        .script("ops/flows/note.rhai", "inputs")
        .script(
            "ops/flows/ask.rhai",
            "[metrics::workspace(\"shop\").failed, metrics::flow(\"shop/order\").failed,
              metrics::flow(\"ask\").runs, metrics::workspace().window]",
        )
        .file(
            "shop/workspace.yaml",
            "uses: [alerts.send@1]\nhealth: { failed_runs: 1, notify: alerts.send@1 }\n",
        )
        .file("shop/flows/order.yaml", ORDER)
        .script("shop/flows/ask.rhai", "metrics::workspace(inputs.of)")
        .road()
}

/// The runs that tell of alarms, oldest first, once so many have ended.
#[track_caller]
fn told(runner: &Runner<'_>, number: usize) -> Vec<Value> {
    eventually(&format!("{number} runs tell of alarms"), || {
        let mut all = runner.list("/runs?limit=1000");
        all.retain(|run| run["trigger"]["kind"] == "alarm");
        all.reverse();
        let ended = all.iter().all(|run| !run["ended_at"].is_null());
        (all.len() >= number && ended).then_some(all)
    })
}

#[track_caller]
fn alarms(runner: &Runner<'_>, workspace: &str) -> Vec<Value> {
    let health = runner.get(&format!("/workspaces/{workspace}/health"));
    health["alarms"].as_array().cloned().unwrap_or_default()
}

fn fail(runner: &Runner<'_>, flow: &str, times: usize) {
    for _ in 0..times {
        runner.run(flow, &json!({ "fail": true }));
    }
}

#[test]
fn an_unhealthy_workspace_is_told_of_once_and_so_is_its_recovery() {
    let road = road();
    let runner = road.start();
    fail(&runner, "ops/order", 9);
    assert!(alarms(&runner, "ops").is_empty(), "nine runs say too little");
    fail(&runner, "ops/order", 1);
    let first = told(&runner, 2);
    assert_eq!(first.len(), 2, "every handler of the list: {first:#?}");
    let alert = runner.show(first[0]["id"].as_str().unwrap());
    assert_eq!(alert["inputs"]["alert_type"], "workspace_unhealthy");
    assert_eq!(alert["inputs"]["severity"], "high");
    assert_eq!(alert["inputs"]["breaches"][0]["measure"], "error_rate");
    let message = alert["inputs"]["message"].as_str().unwrap();
    assert!(message.starts_with("ops is unhealthy: within 1m, 100% of the runs"), "{message}");
    assert_eq!(alert["trigger"]["alarm"], "health");
    let note = runner.show(first[1]["id"].as_str().unwrap());
    assert_eq!(note["flow"], "note");
    assert!(note["inputs"]["since"].is_string() && note["inputs"]["recovered"] == json!(false));
    assert_eq!(alarms(&runner, "ops").len(), 1);
    let page = runner.client().get("/").text;
    assert!(page.contains("ops is unhealthy") && page.contains("health of ops"), "{page}");
    let metrics = runner.client().get("/metrics").text;
    assert!(metrics.contains("signalbox_workspace_unhealthy{workspace=\"ops\"} 1"), "{metrics}");
    assert!(metrics.contains("signalbox_workspace_unhealthy{workspace=\"shop\"} 0"), "{metrics}");
    let said = runner.cli(&["health", "ops"]).ends(1).stdout;
    assert!(said.contains("ops is unhealthy"), "{said}");
    assert!(runner.cli(&["status"]).ends(0).stdout.contains("ops is unhealthy"));
    runner.kill9();
    let runner = road.start();
    for _ in 0..12 {
        runner.run("ops/order", &json!({}));
    }
    let all = told(&runner, 4);
    assert_eq!(all.len(), 4, "two at its beginning, two at its end: {all:#?}");
    assert!(all[2..].iter().all(|run| run["trigger"]["recovered"] == json!(true)));
    let alert = runner.show(all[2]["id"].as_str().unwrap());
    assert_eq!(alert["inputs"]["alert_type"], "workspace_healthy");
    assert!(alarms(&runner, "ops").is_empty());
    runner.cli(&["health", "ops"]).ends(0);
}

#[test]
fn a_run_that_ends_while_nobody_evaluates_it_counts_for_health() {
    let road = Scene::platform()
        .file("ops/workspace.yaml", "health: { failed_runs: 1, window: 1m, notify: note }\n")
        .file("ops/flows/late.yaml", "deadline: 500ms\nrun: sleep(\"1h\")\n")
        .script("ops/flows/note.rhai", "inputs.message")
        .road();
    let runner = road.start();
    for _ in 0..2 {
        assert_eq!(runner.run("ops/late", &json!({}))["reason"], "timed_out");
    }
    let told = told(&runner, 1);
    assert_eq!(told[0]["flow"], "note", "{told:#?}");
    assert_eq!(alarms(&runner, "ops").len(), 1);
}

#[test]
fn a_domain_tells_of_its_health_through_the_broker() {
    let road = road();
    let runner = road.start();
    fail(&runner, "shop/order", 2);
    let run = told(&runner, 1).remove(0);
    assert_eq!((&run["workspace"], &run["flow"]), (&json!("ops"), &json!("alert")));
    assert_eq!(run["trigger"]["service"], "alerts.send");
    assert_eq!(run["state"], "succeeded");
    let calls = runner.list("/calls?limit=100");
    assert_eq!(calls.len(), 1, "{calls:#?}");
    assert_eq!((&calls[0]["decision"], &calls[0]["run"]), (&json!("allowed"), &run["id"]));
    assert_eq!(
        (&calls[0]["caller"]["workspace"], &calls[0]["caller"]["run"]),
        (&json!("shop"), &Value::Null)
    );
    assert_eq!(calls[0]["state"], "succeeded");
    assert!(runner.client().get("/").text.contains("shop is unhealthy"));
}

#[test]
fn scripts_read_the_metrics_that_they_may() {
    let road = road();
    let runner = road.start();
    fail(&runner, "shop/order", 1);
    assert_eq!(runner.result("ops/ask"), json!([1, 1, 0, 60.0]));
    let own = runner.run("shop/ask", &json!({ "of": "shop" }));
    assert_eq!(own["result"]["error_rate"], json!(1.0), "{own:#}");
    assert_eq!(own["result"]["window"], json!(3600.0));
    let other = runner.run("shop/ask", &json!({ "of": "ops" }));
    let message = other["error"]["message"].as_str().unwrap();
    assert!(message.contains("there is no workspace `ops`"), "{message}");
}

fn nightly() -> Road {
    Scene::platform()
        .file("ops/flows/nightly.yaml", format!("absence: 3s\non_failure: note\n{ORDER}"))
        .script("ops/flows/note.rhai", "inputs")
        .road()
}

#[test]
fn an_absent_flow_is_told_of_once_through_a_kill_and_its_success_is_told() {
    let road = nightly();
    let runner = road.start();
    runner.run("ops/nightly", &json!({}));
    runner.kill9();
    let last = std::time::Instant::now();
    eventually("three seconds pass without a runner", || {
        (last.elapsed() > std::time::Duration::from_secs(3)).then_some(())
    });
    let runner = road.start();
    let first = told(&runner, 1);
    assert_eq!(first.len(), 1, "{first:#?}");
    let note = runner.show(first[0]["id"].as_str().unwrap());
    assert_eq!((&note["flow"], &note["inputs"]["flow"]), (&json!("note"), &json!("nightly")));
    assert_eq!(note["inputs"]["alert_type"], "flow_absent");
    assert_eq!(note["inputs"]["message"], "ops/nightly has not succeeded for 3s");
    assert_eq!(alarms(&runner, "ops").len(), 1);
    let metrics = runner.client().get("/metrics").text;
    let line = "signalbox_flow_absent{workspace=\"ops\",flow=\"nightly\"} 1";
    assert!(metrics.contains(line), "{metrics}");
    assert!(runner.cli(&["status"]).ends(0).stdout.contains("has not succeeded for 3s"));
    runner.kill9();
    let runner = road.start();
    eventually("it is known after a start", || (alarms(&runner, "ops").len() == 1).then_some(()));
    runner.run("ops/nightly", &json!({}));
    let all = told(&runner, 2);
    assert_eq!(all[1]["trigger"]["recovered"], json!(true), "{all:#?}");
    let over = runner.show(all[1]["id"].as_str().unwrap());
    assert_eq!(over["inputs"]["alert_type"], "flow_back");
    let again = told(&runner, 3);
    assert_eq!(again[2]["trigger"]["recovered"], json!(false), "it is absent again later");
}

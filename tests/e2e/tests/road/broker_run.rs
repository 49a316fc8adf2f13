//! Promise 7 at run time: what could not be seen at sync is refused when it is called, and every
//! decision is on record with its rule.

use serde_json::{Value, json};
use signalbox_e2e::{Road, Runner, Scene, column, root};

const WORKSPACES: [(&str, &str, &str); 3] =
    [("bank", "domain", ""), ("ops", "platform", ""), ("shop", "domain", "")];

/// Every workspace has a flow `ask` that calls what it is told to.
fn road() -> Road {
    let ask = "broker::request(inputs.target, inputs.given)";
    Scene::new(&WORKSPACES)
        .file(
            "ops/workspace.yaml",
            "exports:
  alerts.send: { flow: alert, version: 2, callers: [shop] }
  bounce.back: { flow: bounce, callers: [domains] }
  seldom.asked: { flow: who, callers: [domains], rate_limit: 2/h }
  who.calls: { flow: who, callers: [domains] }
may_start:
  shop: [scan, hidden, again]
",
        )
        .file(
            "ops/flows/alert.yaml",
            "inputs: { text: { type: string, required: true, max_length: 10 } }\nrun: '`got ${inputs.text}`'\n",
        )
        .script("ops/flows/bounce.rhai", "broker::request(inputs.target, #{})")
        .script("ops/flows/who.rhai", "run::caller()")
        .script("ops/flows/internal.rhai", "1")
        .script("ops/flows/ask.rhai", ask)
        .file(
            "shop/workspace.yaml",
            "uses: [alerts.send, bounce.back, seldom.asked, who.calls]\naccepts: [scan, again]\n",
        )
        .script("shop/flows/scan.rhai", "`scanned ${inputs.n} for ${run::caller()}`")
        .script("shop/flows/hidden.rhai", "1")
        .script("shop/flows/again.rhai", "broker::request(`bounce.${\"back\"}`, #{ target: `shop/again` })")
        .script("shop/flows/ask.rhai", ask)
        .script("bank/flows/pay.rhai", "1")
        .script("bank/flows/ask.rhai", ask)
        .road()
}

fn ask(runner: &Runner<'_>, caller: &str, target: &str, with: &Value) -> Value {
    runner.run(&format!("{caller}/ask"), &json!({ "target": target, "given": with }))
}

/// The call must be refused by a rule and with a code; the record must say so.
#[track_caller]
fn refused(runner: &Runner<'_>, caller: &str, target: &str, with: &Value, rule: &str, code: &str) {
    let run = ask(runner, caller, target, with);
    assert_eq!((&run["state"], &run["reason"]), (&json!("failed"), &json!("denied")), "{run:#}");
    assert_eq!(run["error"]["code"], code, "{run:#}");
    let calls = runner.calls_of(run["id"].as_str().unwrap());
    let [call] = calls.as_slice() else { panic!("one record, not {calls:#?}") };
    assert_eq!((&call["decision"], &call["rule"]), (&json!("refused"), &json!(rule)), "{call:#}");
    assert_eq!(call["caller"]["workspace"], caller);
    assert_eq!(call["target"]["name"], target);
    assert_eq!(call["run"], Value::Null);
    let started = runner.list("/runs?limit=1000");
    assert!(started.iter().all(|run| run["trigger"]["kind"] == "api"), "something was started");
}

#[test]
fn a_domain_reaches_no_domain_and_no_flow_of_the_platform() {
    let road = road();
    let runner = road.start();
    refused(&runner, "shop", "bank/pay", &json!({}), "domain_to_domain", "SB0302");
    refused(&runner, "shop", "shop/scan", &json!({}), "domain_to_domain", "SB0302");
    refused(&runner, "shop", "ops/internal", &json!({}), "flow_of_platform", "SB0302");
    refused(&runner, "shop", "nobody/pay", &json!({}), "unknown_workspace", "SB0310");
}

#[test]
fn a_domain_reaches_no_service_that_is_not_exported_to_it() {
    let road = road();
    let runner = road.start();
    refused(&runner, "shop", "alerts.none", &json!({}), "unknown_service", "SB0301");
    refused(&runner, "shop", "alerts.send@1", &json!({}), "unknown_version", "SB0305");
    refused(&runner, "bank", "who.calls", &json!({}), "not_in_uses", "SB0304");
    refused(&runner, "shop", "no such name!", &json!({}), "invalid_target", "SB0106");
}

#[test]
fn the_platform_starts_only_what_it_declared_and_the_domain_accepts() {
    let road = road();
    let runner = road.start();
    refused(&runner, "ops", "shop/hidden", &json!({}), "not_accepted", "SB0303");
    refused(&runner, "ops", "shop/hello", &json!({}), "not_in_may_start", "SB0304");
    refused(&runner, "ops", "shop/nothing", &json!({}), "unknown_flow", "SB0309");
    refused(&runner, "ops", "ops/internal", &json!({}), "platform_to_itself", "SB0302");
    refused(&runner, "ops", "who.calls", &json!({}), "platform_to_itself", "SB0302");
}

#[test]
fn inputs_that_do_not_fit_are_refused() {
    let road = road();
    let runner = road.start();
    for with in [json!({}), json!({ "text": 7 }), json!({ "text": "a", "more": 1 })] {
        refused(&runner, "shop", "alerts.send", &with, "inputs_do_not_fit", "SB0306");
    }
    let long = json!({ "text": "much too long for it" });
    refused(&runner, "shop", "alerts.send@2", &long, "inputs_do_not_fit", "SB0306");
}

#[test]
fn a_caller_that_the_export_does_not_list_is_refused() {
    // The bank says that it uses the service; the platform has listed the shop only.
    let road = road();
    road.push("bank/workspace.yaml", "uses: [alerts.send]\n");
    let runner = road.start();
    let with = json!({ "text": "a" });
    if runner.get("/workspaces/bank")["state"] == "live" {
        refused(&runner, "bank", "alerts.send", &with, "caller_not_listed", "SB0311");
    } else {
        let text = runner.get("/workspaces/bank")["last_deployment"].to_string();
        assert!(text.contains("SB0311"), "{text}");
    }
}

#[test]
fn a_call_that_leads_back_to_its_beginning_is_refused() {
    let road = road();
    let runner = road.start();
    let run = runner.run("shop/again", &json!({}));
    assert_eq!(run["state"], "failed", "{run:#}");
    assert!(run["error"]["message"].as_str().unwrap().contains("SB0307"), "{run:#}");
    let calls = runner.list("/calls?decision=refused");
    assert_eq!(column(&calls, "rule"), ["cycle"]);
    assert_eq!(calls[0]["caller"]["flow"], "bounce");
    assert_eq!(runner.list("/runs?flow=again").len(), 1);
}

#[test]
fn allowed_calls_return_results_in_both_directions() {
    let road = road();
    let runner = road.start();
    let up = ask(&runner, "shop", "alerts.send", &json!({ "text": "bread" }));
    assert_eq!(up["result"], "got bread", "{up:#}");
    let down = ask(&runner, "ops", "shop/scan", &json!({ "n": 3 }));
    assert_eq!(down["result"], "scanned 3 for ops/ask", "{down:#}");
    let rules = column(&runner.list("/calls?decision=allowed"), "rule");
    assert_eq!(rules, ["platform_starts_accepted", "domain_uses_export"]);
}

#[test]
fn the_callee_knows_who_called_by_the_channel_and_not_by_a_field() {
    let road = road();
    let runner = road.start();
    let forged = json!({ "caller": "bank/pay", "workspace": "bank" });
    let run = ask(&runner, "shop", "who.calls", &forged);
    assert_eq!(run["result"], "shop/ask", "{run:#}");
}

#[test]
fn a_rate_that_is_used_up_refuses_until_it_is_free_again() {
    let road = road();
    let runner = road.start();
    for _ in 0..2 {
        assert_eq!(ask(&runner, "shop", "seldom.asked", &json!({}))["state"], "succeeded");
    }
    let run = ask(&runner, "shop", "seldom.asked", &json!({}));
    assert_eq!(run["error"]["code"], "SB0313", "{run:#}");
    let call = runner.calls_of(run["id"].as_str().unwrap()).remove(0);
    assert_eq!((&call["decision"], &call["rule"]), (&json!("refused"), &json!("rate_limit")));
}

#[test]
fn a_permission_that_is_taken_back_refuses_from_then_on() {
    let road = road();
    let runner = road.start();
    assert_eq!(ask(&runner, "ops", "shop/scan", &json!({ "n": 1 }))["state"], "succeeded");
    road.push(
        "shop/workspace.yaml",
        "uses: [alerts.send, bounce.back, seldom.asked, who.calls]\naccepts: [again]\n",
    );
    assert_eq!(runner.sync_of("shop")["outcome"], "deployed");
    refused_later(&runner, "ops", "shop/scan", "not_accepted");
    road.push("signalbox.yaml", &root(&[("ops", "platform", ""), ("shop", "domain", "")]));
    runner.sync();
    refused_later(&runner, "shop", "bank/pay", "unknown_workspace");
}

#[track_caller]
fn refused_later(runner: &Runner<'_>, caller: &str, target: &str, rule: &str) {
    let run = ask(runner, caller, target, &json!({}));
    assert_eq!(run["state"], "failed", "{run:#}");
    let call = runner.calls_of(run["id"].as_str().unwrap()).remove(0);
    assert_eq!((&call["decision"], &call["rule"]), (&json!("refused"), &json!(rule)), "{call:#}");
}

#[test]
fn a_script_can_catch_a_refusal_and_the_record_stays() {
    let road = road();
    let body = "let told = ();
try { broker::request(`bank/${\"pay\"}`, #{}); } catch (e) { told = `${e}`; }
told";
    road.push_script("shop/flows/careful.rhai", body);
    let runner = road.start();
    let told = runner.result("shop/careful");
    assert!(told.as_str().unwrap().starts_with("SB0302"), "{told}");
    assert_eq!(column(&runner.list("/calls"), "decision"), ["refused"]);
}

#[test]
fn a_failed_callee_fails_its_caller_with_the_reason() {
    let road = road();
    road.push_script("shop/flows/scan.rhai", "throw \"out of bread\"");
    let runner = road.start();
    let run = ask(&runner, "ops", "shop/scan", &json!({}));
    assert_eq!((&run["state"], &run["error"]["code"]), (&json!("failed"), &json!("SB0314")));
    assert!(run["error"]["message"].as_str().unwrap().contains("out of bread"), "{run:#}");
}

#[test]
fn start_does_not_wait_for_the_result() {
    let road = road();
    road.push_script("ops/flows/fire.rhai", "broker::start(\"shop/scan\", #{ n: 9 })");
    let runner = road.start();
    let run = runner.run("ops/fire", &json!({}));
    assert_eq!(run["state"], "succeeded", "{run:#}");
    let call = runner.calls_of(run["id"].as_str().unwrap()).remove(0);
    let callee = runner.ended(call["run"].as_str().unwrap());
    assert_eq!(callee["result"], "scanned 9 for ops/fire");
}

//! How alerts reach people, and what becomes of those that do not.

use std::sync::atomic::Ordering;

use serde_json::json;

use crate::home::{Home, done, ended};

const DISPATCHER: &str = "homeops-platform/monitoring/alert-dispatcher";

#[test]
fn alerts_reach_every_channel_that_they_ask_for_and_whoever_is_on_call() {
    let home = Home::new();
    let runner = home.start();
    let inputs = json!({ "alert_type": "disk", "severity": "critical", "message": "full", "channel": "#home" });
    assert_eq!(done(&runner, DISPATCHER, &inputs), json!({ "delivered": 2, "failed": 0 }));
    let page = ended(&runner, "homeops-platform/monitoring/page-on-call", 1);
    let who = runner.show(page[0]["id"].as_str().unwrap())["result"].clone();
    assert!(["@ops-even", "@ops-odd"].map(|name| json!(name)).contains(&who), "{who}");
    let mut said = home.said();
    said.sort();
    let paged = format!("{} [CRITICAL] disk: full", who.as_str().unwrap());
    assert_eq!(said, [paged, "[CRITICAL] disk: full".to_owned()]);
}

#[test]
fn an_alert_is_sent_again_when_slack_does_not_take_it() {
    let home = Home::new();
    let runner = home.start();
    home.refusals.store(2, Ordering::SeqCst);
    let inputs = json!({ "alert_type": "disk", "message": "full" });
    assert_eq!(done(&runner, DISPATCHER, &inputs), json!({ "delivered": 1, "failed": 0 }));
    assert_eq!(home.said(), ["[low] disk: full"; 3]);
}

#[test]
fn an_alert_that_reached_nobody_is_kept_for_the_report() {
    let home = Home::new();
    let runner = home.start();
    home.refusals.store(3, Ordering::SeqCst);
    let inputs = json!({ "alert_type": "disk", "message": "full" });
    let failed = runner.run(DISPATCHER, &inputs);
    assert_eq!(failed["state"], "failed", "{failed:#}");
    let noted = ended(&runner, "homeops-platform/monitoring/failure-note", 1);
    assert_eq!(noted[0]["state"], "succeeded", "{noted:#?}");
    let report = done(&runner, "homeops-platform/monitoring/weekly-system-report", &json!({}));
    assert_eq!(report["stats/untold"], 1, "{report:#}");
}

#[test]
fn a_call_that_the_broker_refuses_is_told_to_the_platform() {
    let home = Home::new();
    let runner = home.start();
    let refused = runner.error("homeops-media/experiments/forbidden-call");
    assert_eq!(refused["code"], "SB0302", "{refused:#}");
    home.hears("[HIGH] call_failed: ");
    home.hears("[HIGH] run_failed: ");
}

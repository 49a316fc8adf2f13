//! `health`, `absence` and `notification_groups` of repositories without faults.

#![expect(clippy::unwrap_used, reason = "what the tests share may fail as they may")]

mod support;

use std::time::Duration;

use signalbox_core::catalog::Workspace;
use signalbox_core::handler::Handler;
use signalbox_core::health::{Percent, Thresholds};
use support::{Files, files, good, report};

const ALERT: &str = "inputs: { message: { type: string, required: true } }\nrun: inputs.message\n";

fn repository(extra: &[(&str, &str)]) -> Files {
    let mut all = files(&[
        (
            "signalbox.yaml",
            "version: 1\nworkspaces:\n  ops: { kind: platform, path: ops }\n  \
             shop: { kind: domain, path: shop }\n",
        ),
        (
            "ops/workspace.yaml",
            "exports: { alerts.send: { flow: alert, callers: [domains] } }\n\
             on_call_failure: [alert, page]\n\
             health: { error_rate: 0.5%, failed_runs: 50, window: 30m }\n",
        ),
        ("ops/flows/alert.yaml", ALERT),
        ("ops/flows/page.yaml", ALERT),
        (
            "shop/workspace.yaml",
            "uses: [alerts.send@1]\non_failure: on-call\n\
             health: { success_rate: 99%, average_duration: 2s, notify: [on-call, note] }\n\
             notification_groups: { on-call: [alerts.send@1, note], one: note }\n",
        ),
        ("shop/flows/note.yaml", ALERT),
    ]);
    all.extend(files(extra));
    all
}

fn shop(files: &Files) -> Workspace {
    assert_eq!(report(files), "");
    (*good(files)[&"shop".parse().unwrap()]).clone()
}

fn flow(name: &str) -> Handler {
    Handler::Flow(name.parse().unwrap())
}

fn alerts() -> Handler {
    Handler::Service("alerts.send@1".to_owned())
}

#[test]
fn the_health_of_a_workspace_is_read() {
    let files = repository(&[]);
    let shop = shop(&files).health.unwrap();
    let none = Thresholds {
        error_rate: None,
        success_rate: None,
        failed_runs: None,
        average_duration: None,
        window: Duration::from_hours(1),
    };
    let expected = Thresholds {
        success_rate: Some(Percent(9_900)),
        average_duration: Some(Duration::from_secs(2)),
        ..none.clone()
    };
    assert_eq!(shop.thresholds, expected);
    assert_eq!(shop.notify, [alerts(), flow("note")], "each once");
    assert_eq!(shop.calls.len(), 1);
    let ops = (*good(&files)[&"ops".parse().unwrap()]).clone();
    let health = ops.health.unwrap();
    let expected = Thresholds {
        error_rate: Some(Percent(50)),
        failed_runs: Some(50),
        window: Duration::from_mins(30),
        ..none
    };
    assert_eq!((health.thresholds, health.notify), (expected, Vec::new()));
    let told: Vec<_> = ops.on_call_failure.iter().map(ToString::to_string).collect();
    assert_eq!(told, ["alert", "page"]);
}

#[test]
fn a_group_stands_wherever_a_handler_does() {
    let shop = shop(&repository(&[
        ("shop/flows/usual.yaml", "run: '1'\n"),
        ("shop/flows/own.yaml", "on_failure: [one, alerts.send]\non_recovery: one\nrun: '1'\n"),
        (
            "shop/flows/timed.yaml",
            "schedules: [{ cron: '@daily', on_failure: on-call }]\nrun: '1'\n",
        ),
    ]));
    let handlers = |name: &str| shop.flows[&name.parse().unwrap()].handlers.clone();
    let group = Handler::All(vec![alerts(), flow("note")]);
    assert_eq!(handlers("usual").failure, Some(group.clone()));
    let service = Handler::Service("alerts.send".to_owned());
    assert_eq!(handlers("own").failure, Some(flow("note").and(&service)));
    assert_eq!(handlers("own").recovery, Some(flow("note")), "a group of one is that one");
    assert_eq!(handlers("note").failure, Some(alerts()), "a flow is left out of its own");
    let timed = &shop.flows[&"timed".parse().unwrap()];
    assert_eq!(timed.schedules[0].handlers.failure, Some(group));
    assert_eq!(timed.calls.len(), 2, "both are seen: for the schedule and for the flow");
}

#[test]
fn an_absence_is_told_to_who_is_told_of_failures_unless_it_says_otherwise() {
    let shop = shop(&repository(&[
        ("shop/flows/usual.yaml", "absence: 26h\nrun: '1'\n"),
        ("shop/flows/own.yaml", "absence: { after: 8d, notify: note }\nrun: '1'\n"),
    ]));
    let absence = |name: &str| shop.flows[&name.parse().unwrap()].absence.clone().unwrap();
    assert_eq!(absence("usual").after, Duration::from_hours(26));
    assert_eq!(absence("usual").notify, [alerts(), flow("note")]);
    assert_eq!(absence("own").after, Duration::from_hours(8 * 24));
    assert_eq!(absence("own").notify, [flow("note")]);
}

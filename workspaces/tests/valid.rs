//! Repositories without faults, and what is read from them.

#![expect(clippy::unwrap_used, reason = "what the tests share may fail as they may")]

mod support;

use std::path::Path;
use std::time::Duration;

use signalbox_core::catalog::{Action, Callers, ConnectorKind, NetworkGrant, Repeat};
use signalbox_core::check::{CheckRequest, CheckScript, ScriptCode, ScriptKind};
use signalbox_core::codes::Code;
use signalbox_core::handler::Handler;
use signalbox_core::inputs::Type;
use signalbox_core::retry::{Backoff, Retry};
use signalbox_core::run::Trigger;
use signalbox_core::turn::{Concurrency, Settings, WhenFull};
use signalbox_core::value::Value;
use signalbox_workspaces::{parse_root, read};
use support::{Files, files, folder, good, push, report, root};

const ROOT: &str = r#"
version: 1
workspaces:
  ops:
    kind: platform
    path: ops
    description: from the root
    environment: production
    tags: [production, critical]
    grants:
      network: [Hooks.Slack.com, "http://192.168.1.10:9090", "localhost:80", "[::1]:8080", "https://a.example"]
      limits: { memory: 512MiB, concurrency: 4, run_time: 90s, operations: 5000, queue: 7 }
  shop: { kind: domain, path: subprojects/shop/windmill }
"#;

fn repository() -> Files {
    files(&[
        ("signalbox.yaml", ROOT),
        (
            "ops/workspace.yaml",
            r##"
title: Operations
description: from the workspace
env: { LOG_LEVEL: info, PORT: 8080, RATIO: 0.5, ON: true, CODE: 017, WORD: no, BIG: 1_000 }
secrets: [SLACK_WEBHOOK, KEY]
connectors:
  slack: { type: slack, webhook_url: "${secrets.SLACK_WEBHOOK}", channel: "#ops" }
  api: { type: http, base_url: "https://a.example:${env.PORT}", headers: { X-Key: "k ${secrets.KEY}" } }
  log: { type: log }
exports:
  alerts.send: { flow: monitoring/alert, version: 3, callers: [domains], rate_limit: 60/m, timeout: 30s }
  alerts.page: { flow: monitoring/alert, callers: [shop] }
may_start: { shop: [scan] }
"##,
        ),
        (
            "ops/flows/monitoring/alert.yaml",
            r#"
summary: Send an alert
inputs:
  text: { type: string, required: true, max_length: 4000 }
  severity: { type: string, enum: [low, high], default: low }
  count: integer
output: { sent: "${steps.send}", all: ["${inputs.text}", 1, "cost: $${5}"] }
timeout: 1m
steps:
  - id: render
    script: scripts/render.rhai
    inputs: { name: "${ inputs.text }" }
  - id: send
    when: 'inputs.severity == "high"'
    run: |

      let a = 1;
        a + x
"#,
        ),
        ("ops/scripts/render.rhai", "import \"libraries/text\" as text;\nfn main(inputs) { 1 }\n"),
        ("ops/libraries/text.rhai", "fn cut() { 1 }\n"),
        ("ops/libraries/unused.rhai", "fn no() { 1 }\n"),
        ("ops/tests/alert.rhai", "not checked"),
        (
            "ops/flows/start.yml",
            "call: { workspace: shop, flow: scan, inputs: { a: 1, b: \"${x}\" } }\n",
        ),
        ("ops/flows/README.md", "not a flow"),
        (
            "subprojects/shop/windmill/workspace.yaml",
            "flow_folders: [jobs]\naccepts: [scan]\nuses: [alerts.send@3, alerts.page]\n",
        ),
        ("subprojects/shop/windmill/jobs/scan.rhai", "broker::request(\"alerts.page\");\n"),
        (
            "subprojects/shop/windmill/jobs/deep/nightly.yaml",
            "schedules: [{ cron: '0 7 * * 1-5', timezone: America/New_York }, { cron: '*/5 * * * * *' }]\nrun: inputs\n",
        ),
    ])
}

fn request(files: &Files) -> CheckRequest {
    let root = root(files).unwrap();
    let revision = "0".repeat(40).parse().unwrap();
    let entry = &root.workspaces[&"ops".parse().unwrap()];
    read(entry, &revision, &folder(files, &entry.path)).check_request().0
}

#[test]
fn webhooks_of_every_kind_are_read() {
    use signalbox_core::webhook::{Auth, Mode, Stamp};
    let files = files(&[
        ("signalbox.yaml", "version: 1\nworkspaces: { ops: { kind: platform, path: ops } }\n"),
        (
            "ops/flows/order.yaml",
            "inputs: { id: { type: integer, required: true } }\nrun: inputs.id\n",
        ),
        (
            "ops/workspace.yaml",
            r#"
secrets: [KEY, OLD_KEY]
webhooks:
  github:
    flow: order
    auth: { hmac_sha256: ["${secrets.KEY}", "${secrets.OLD_KEY}"], header: X-Hub-Signature-256 }
    idempotency: X-GitHub-Delivery
    inputs: { id: "${body.pull_request.number}" }
  slack:
    flow: order
    auth:
      hmac_sha256: "${secrets.KEY}"
      header: X-Slack-Signature
      timestamp: X-Slack-Request-Timestamp
      payload: "v0:${timestamp}:${body}"
    mode: sync
    timeout: 3s
  key: { flow: order, auth: { api_key: "${secrets.KEY}", header: X-Key }, rate_limit: 60/m }
  user: { flow: order, auth: { basic: { user: nas, password: "${secrets.KEY}" } }, mode: sync }
"#,
        ),
    ]);
    assert_eq!(report(&files), "");
    let ops = &good(&files)[&"ops".parse().unwrap()];
    let github = &ops.webhooks["github"];
    assert_eq!(github.auth.secrets(), ["KEY", "OLD_KEY"]);
    assert_eq!(github.idempotency.as_deref(), Some("X-GitHub-Delivery"));
    assert_eq!((github.mode, github.max_body()), (Mode::Async, 25 << 20));
    let slack = &ops.webhooks["slack"];
    let stamp = Stamp {
        header: "X-Slack-Request-Timestamp".into(),
        tolerance: Duration::from_mins(5),
        payload: "v0:${timestamp}:${body}".into(),
    };
    let header = "X-Slack-Signature".to_owned();
    let auth = Auth::HmacSha256 { keys: vec!["KEY".into()], header, stamp: Some(stamp) };
    assert_eq!(slack.auth, auth);
    assert_eq!(slack.mode, Mode::Sync { timeout: Duration::from_secs(3) });
    assert_eq!(ops.webhooks["key"].rate_limit.unwrap().count, 60);
    assert_eq!(ops.webhooks["key"].max_body(), 1 << 20);
    assert_eq!(ops.webhooks["user"].auth.kind(), "basic");
    assert_eq!(ops.webhooks["user"].mode, Mode::Sync { timeout: Duration::from_secs(30) });
}

#[test]
fn a_whole_repository_is_read() {
    assert_eq!(report(&repository()), "");
    let read = good(&repository());
    let ops = &read[&"ops".parse().unwrap()];
    assert_eq!(ops.about.description.as_deref(), Some("from the workspace"));
    assert_eq!(ops.about.environment.as_deref(), Some("production"));
    let env: Vec<_> = ops.env.iter().map(|(name, value)| format!("{name}={value}")).collect();
    assert_eq!(
        env.join(" "),
        "BIG=1_000 CODE=017 LOG_LEVEL=info ON=true PORT=8080 RATIO=0.5 WORD=no"
    );
    assert_eq!(ops.connectors["api"].kind, ConnectorKind::Http);
    assert_eq!(ops.connectors["api"].headers["X-Key"], "k ${secrets.KEY}");
    let send = &ops.exports[&"alerts.send".parse().unwrap()];
    assert_eq!((send.version, send.timeout), (3, Some(Duration::from_secs(30))));
    assert_eq!(send.rate_limit.unwrap().per, Duration::from_mins(1));
    let page = &ops.exports[&"alerts.page".parse().unwrap()];
    assert_eq!(
        (page.version, &page.callers),
        (1, &Callers::Only(["shop".parse().unwrap()].into()))
    );
    let grant = |scheme: Option<&str>, host: &str, port| NetworkGrant {
        scheme: scheme.map(str::to_owned),
        host: host.to_owned(),
        port,
    };
    assert_eq!(
        ops.grants.network,
        [
            grant(None, "hooks.slack.com", None),
            grant(Some("http"), "192.168.1.10", Some(9090)),
            grant(None, "localhost", Some(80)),
            grant(None, "::1", Some(8080)),
            grant(Some("https"), "a.example", None),
        ]
    );
    assert_eq!(ops.grants.limits.memory, 512 << 20);
    assert_eq!(ops.grants.limits.run_time, Duration::from_secs(90));
}

#[test]
fn flows_have_their_steps_sources_and_calls() {
    let read = good(&repository());
    let ops = &read[&"ops".parse().unwrap()];
    let alert = &ops.flows[&"monitoring/alert".parse().unwrap()];
    assert_eq!(alert.inputs.fields["count"].kind, Type::Integer);
    let sources: Vec<_> = alert.plan.sources.iter().map(String::as_str).collect();
    assert_eq!(sources, ["libraries/text.rhai", "scripts/render.rhai"]);
    assert!(!ops.sources.contains_key("tests/alert.rhai"));
    assert!(ops.sources.contains_key("libraries/unused.rhai"));
    let [render, send] = alert.plan.steps.as_slice() else { panic!("{:?}", alert.plan.steps) };
    let inputs = Some(Value::map([("name", "${ inputs.text }".into())]));
    assert_eq!(render.action, Action::Script { path: "scripts/render.rhai".into(), inputs });
    let Action::Run { code, line } = &send.action else { panic!("{send:?}") };
    assert_eq!((code.as_str(), *line), ("\nlet a = 1;\n  a + x\n", 16));

    let start = &ops.flows[&"start".parse().unwrap()];
    assert_eq!(start.plan.steps[0].id, "main");
    let call = &start.calls[0];
    assert_eq!((call.target.as_str(), call.line, call.column), ("shop/scan", 1, 32));
    let known = call.inputs.clone().unwrap();
    assert_eq!((&known["a"], &known["b"]), (&Some(Value::Int(1)), &None));

    let shop = &read[&"shop".parse().unwrap()];
    let scan = &shop.flows[&"scan".parse().unwrap()];
    assert_eq!(scan.calls[0].file, "subprojects/shop/windmill/jobs/scan.rhai");
    assert_eq!(shop.flows[&"deep/nightly".parse().unwrap()].schedules.len(), 2);
}

#[test]
fn code_is_checked_where_it_stands() {
    let files = repository();
    let file = String::from_utf8(files["ops/flows/monitoring/alert.yaml"].clone()).unwrap();
    let lines: Vec<_> = file.lines().collect();
    let request = request(&files);
    let mut seen = Vec::new();
    for script in &request.scripts {
        let ScriptCode::Inline(code) = &script.code else { continue };
        if !script.file.ends_with("alert.yaml") {
            continue;
        }
        let (line, column) = script.origin;
        for (offset, code) in code.lines().enumerate() {
            let there = lines[line as usize - 1 + offset];
            let from = if offset == 0 { column as usize - 1 } else { 0 };
            assert!(there[from.min(there.len())..].starts_with(code), "{code:?} in {there:?}");
        }
        seen.push((script.kind, code.trim().to_owned()));
    }
    let expression = |code: &str| (ScriptKind::Expression, code.to_owned());
    let run = (ScriptKind::Run, "let a = 1;\n        a + x".to_owned());
    let expected = [
        expression("inputs.severity == \"high\""),
        expression("inputs.text"),
        expression("inputs.text"),
        expression("steps.send"),
        run,
    ];
    seen.sort_by_key(|(kind, code)| (*kind != ScriptKind::Expression, code.clone()));
    assert_eq!(seen, expected);

    let kinds: Vec<_> = request
        .scripts
        .iter()
        .filter(|script| matches!(script.code, ScriptCode::Source(_)))
        .map(|script| (script.name.as_str(), script.kind))
        .collect();
    assert_eq!(
        kinds,
        [
            ("libraries/text.rhai", ScriptKind::Library),
            ("libraries/unused.rhai", ScriptKind::Library),
            ("scripts/render.rhai", ScriptKind::Script),
        ]
    );
}

#[test]
fn code_that_nobody_checked_does_not_go_live() {
    let files = repository();
    let root = root(&files).unwrap();
    let revision = "0".repeat(40).parse().unwrap();
    let entry = &root.workspaces[&"ops".parse().unwrap()];
    let faults = read(entry, &revision, &folder(&files, "ops")).finish(Vec::new()).unwrap_err();
    assert!(faults.iter().all(|found| found.code == Code::CheckLost));
    assert_eq!(faults.len(), 9);
}

#[test]
fn spaces_comments_and_order_do_not_change_a_workspaces_identity() {
    let hash = |text: &str| {
        let (root, _) = parse_root(text.as_bytes(), "signalbox.yaml").unwrap();
        root.workspaces[&"a".parse().unwrap()].config_hash
    };
    let of = |entry: &str| format!("version: 1\nworkspaces:\n  a: {entry}\n");
    let one = hash(&of("{ kind: platform, path: x, tags: [one] }"));
    assert_eq!(one, hash(&of("{ path: x,   tags: ['one'], kind: platform } # as before")));
    assert_ne!(one, hash(&of("{ kind: platform, path: x, tags: [two] }")));
}

#[test]
fn a_workspace_needs_no_file_of_its_own() {
    let bare = files(&[
        ("signalbox.yaml", "version: 1\nworkspaces: { a: { kind: platform, path: a } }\n"),
        ("a/flows/x.rhai", "fn main(inputs) { 1 }"),
    ]);
    assert_eq!(report(&bare), "");
    assert!(push(None, &bare, true).rejected.is_empty());
}

#[test]
fn every_example_is_valid() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
    let mut count = 0;
    for entry in std::fs::read_dir(examples).unwrap() {
        let path = entry.unwrap().path();
        if path.join("signalbox.yaml").exists() {
            count += 1;
            assert_eq!(report(&support::on_disk(&path)), "", "{}", path.display());
        }
    }
    assert!(count > 0);
}

#[test]
fn a_flow_says_when_it_must_have_ended_and_how_it_is_tried_again() {
    let flow = "timeout: 1m\ndeadline: 2h\nretry: { attempts: 5, initial: 2s, retry_if: 'error.retryable' }\nrun: '1'\n";
    let read = good(&files(&[
        ("signalbox.yaml", "version: 1\nworkspaces: { a: { kind: platform, path: a } }\n"),
        ("a/flows/x.yaml", flow),
        ("a/flows/y.yaml", "retry: 4\nrun: '1'\n"),
        ("a/flows/z.rhai", "fn main(inputs) { 1 }"),
    ]));
    let flows = &read.values().next().unwrap().flows;
    let flow = |name: &str| &flows[&name.parse().unwrap()];
    let retry = flow("x").retry.as_ref().unwrap();
    assert_eq!(flow("x").deadline, Some(Duration::from_hours(2)));
    assert_eq!((retry.attempts, retry.initial), (5, Duration::from_secs(2)));
    assert_eq!(flow("x").plan.retry_if.as_deref(), Some("error.retryable"));
    assert_eq!(flow("y").retry.as_ref().map(|retry| retry.attempts), Some(4));
    assert_eq!((&flow("z").retry, flow("z").deadline), (&None, None));
}

#[test]
fn a_schedule_has_handlers_of_its_own_before_those_of_its_flow() {
    let flow = r#"
on_failure: note
on_success: done
schedules:
  - { name: night, cron: "0 2 * * *", on_failure: done, on_recovery: note }
  - { name: day, cron: "0 12 * * *", on_success: note }
run: inputs
"#;
    let files = files(&[
        ("signalbox.yaml", "version: 1\nworkspaces: { ops: { kind: platform, path: ops } }\n"),
        ("ops/workspace.yaml", "on_recovery: done\n"),
        ("ops/flows/all.yaml", flow),
        ("ops/flows/note.rhai", "fn main(inputs) { 1 }"),
        ("ops/flows/done.rhai", "fn main(inputs) { 1 }"),
    ]);
    assert_eq!(report(&files), "");
    let read = good(&files);
    let flow = &read[&"ops".parse().unwrap()].flows[&"all".parse().unwrap()];
    let of = |trigger: &Trigger| {
        let (handlers, apart) = flow.handlers_of(trigger);
        let name = |handler: Option<Handler>| match handler {
            Some(Handler::Flow(flow)) => flow.to_string(),
            other => panic!("{other:?}"),
        };
        let names = [handlers.failure, handlers.recovery, handlers.success].map(name);
        (names.join(" "), apart)
    };
    let slot = |schedule: &str| {
        let slot = signalbox_core::clock::Timestamp(0);
        Trigger::Schedule { schedule: schedule.to_owned(), slot }
    };
    let night = ("done note done".to_owned(), Some("night".to_owned()));
    assert_eq!(of(&slot("night")), night);
    assert_eq!(of(&slot("day")), ("note done note".to_owned(), None), "it tells of no failures");
    assert_eq!(of(&slot("gone")), ("note done done".to_owned(), None));
    assert_eq!(of(&Trigger::Api), ("note done done".to_owned(), None));
    let of_run = signalbox_core::RunId::from_parts(1, [1; 10]);
    let root = Some(Box::new(slot("night")));
    assert_eq!(of(&Trigger::Continue { of: of_run.clone(), root: root.clone() }), night);
    assert_eq!(of(&Trigger::Retry { of: of_run, root }), night);
    assert!(flow.awaits_recovery(None) && flow.awaits_recovery(Some("night")));
    assert!(!flow.awaits_recovery(Some("day")) && !flow.awaits_recovery(Some("gone")));
}

#[test]
fn every_form_of_a_step_is_read() {
    let flow = r#"
inputs: { urls: { type: array, default: [] } }
steps:
  - { id: fetch, foreach: inputs.urls, parallel: 4, retry: 5, timeout: 10s, run: http::get(item).status }
  - { id: other, needs: [], flow: sub, inputs: { days: 7 }, continue_on_error: true }
  - id: join
    needs: [fetch, other]
    while: last == () || index < 2
    max: 10
    steps:
      - { id: poll, run: steps.fetch.len(), stop_if: steps.poll == 0 }
      - { id: nap, sleep: 30s }
  - id: way
    switch:
      - { when: steps.join == 1, steps: [{ id: one, run: "flow::run(\"sub\", #{ days: 1 })" }] }
    else: [{ id: none, sleep: "${inputs.urls.len()}" }]
    retry:
      { attempts: 9, backoff: fixed, initial: 2s, max: 3s, jitter: false, budget: 1h, retry_if: error.code != "x" }
"#;
    let sub = "inputs: { days: { type: integer, required: true } }\nrun: inputs.days\n";
    let files = files(&[
        ("signalbox.yaml", "version: 1\nworkspaces: { ops: { kind: platform, path: ops } }\n"),
        ("ops/flows/all.yaml", flow),
        ("ops/flows/sub.yaml", sub),
    ]);
    assert_eq!(report(&files), "");
    let read = good(&files);
    let flow = &read[&"ops".parse().unwrap()].flows[&"all".parse().unwrap()];
    let [fetch, other, join, way] = flow.plan.steps.as_slice() else { panic!() };
    let items = Repeat::Foreach { items: "inputs.urls".to_owned(), parallel: 4 };
    assert_eq!(fetch.repeat, Some(items));
    assert_eq!((fetch.timeout, way.timeout), (Some(Duration::from_secs(10)), None));
    assert_eq!(fetch.retry, Some(Retry { attempts: 5, ..Retry::default() }));
    assert_eq!((other.needs.as_deref(), other.continue_on_error), (Some(&[][..]), true));
    assert!(matches!(&other.action, Action::Flow { flow, .. } if flow == "sub"));
    assert_eq!(flow.starts.len(), 1);
    assert!(matches!(&join.repeat, Some(Repeat::While { max: 10, .. })));
    assert_eq!(join.lists().flatten().count(), 2);
    assert_eq!(
        way.lists().flatten().map(|step| step.id.as_str()).collect::<Vec<_>>(),
        ["one", "none"]
    );
    let retry = way.retry.as_ref().unwrap();
    assert_eq!((retry.backoff, retry.budget), (Backoff::Fixed, Some(Duration::from_hours(1))));
    let request = request(&files);
    let sees = |code: &str| {
        let is = |script: &&CheckScript| matches!(&script.code, ScriptCode::Inline(inline) if inline.trim() == code);
        request.scripts.iter().find(is).unwrap().sees.join(" ")
    };
    assert_eq!(sees("inputs.urls"), "");
    assert_eq!(sees("http::get(item).status"), "item index");
    assert_eq!(sees("last == () || index < 2"), "index last");
    assert_eq!(sees("steps.poll == 0"), "index last");
    assert_eq!(sees("error.code != \"x\""), "error");
}

#[test]
fn a_flow_says_how_its_runs_take_turns() {
    let flows = [
        ("short", "concurrency: 3\nrun: '1'\n"),
        (
            "whole",
            "inputs: { env: { type: string }, at: { type: object } }\n\
             concurrency: { limit: 1, key: \"${inputs.env}/${inputs.at.zone}\", when_full: skip }\n\
             debounce: 30s\npriority: -4\nrun: '1'\n",
        ),
        ("plain", "run: '1'\n"),
    ];
    let mut repository = repository();
    for (name, text) in flows {
        repository.insert(format!("ops/flows/{name}.yaml"), text.into());
    }
    let read = good(&repository);
    let ops = &read[&"ops".parse().unwrap()];
    let turns = |name: &str| ops.flows[&name.parse().unwrap()].turns.clone();
    let concurrency = |limit, key: Option<&str>, when_full| {
        Some(Concurrency { limit, key: key.map(str::to_owned), when_full })
    };
    assert_eq!(turns("plain"), Settings::default());
    assert_eq!(turns("short").concurrency, concurrency(3, None, WhenFull::Queue));
    let expected = Settings {
        concurrency: concurrency(1, Some("${inputs.env}/${inputs.at.zone}"), WhenFull::Skip),
        debounce: Some(Duration::from_secs(30)),
        priority: -4,
    };
    assert_eq!(turns("whole"), expected);
}

//! Webhooks: each kind of proof, right and forged, over real HTTP.

use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use signalbox_e2e::{Road, Runner, Scene};
use signalbox_testkit::{Answer, Client};

const KEY: &str = "It's a Secret to Everybody";

const HOOKS: &str = r#"
secrets: [KEY, NEW_KEY]
webhooks:
  signed: { flow: echo, auth: { hmac_sha256: "${secrets.KEY}", header: X-Signature } }
  stamped:
    flow: echo
    auth:
      hmac_sha256: "${secrets.KEY}"
      header: X-Slack-Signature
      timestamp: X-Slack-Request-Timestamp
      payload: "v0:${timestamp}:${body}"
  stripe: { flow: echo, auth: { hmac_sha256: "${secrets.KEY}", header: Stripe-Signature, timestamp: Stripe-Signature } }
  keyed: { flow: echo, auth: { api_key: ["${secrets.NEW_KEY}", "${secrets.KEY}"], header: X-Api-Key } }
  bearer: { flow: echo, auth: { api_key: "${secrets.KEY}", header: Authorization } }
  basic: { flow: echo, auth: { basic: { user: nas, password: "${secrets.KEY}" } } }
  waits: { flow: echo, auth: { api_key: "${secrets.KEY}", header: X-Api-Key }, mode: sync, timeout: 50s }
  fails: { flow: fails, auth: { api_key: "${secrets.KEY}", header: X-Api-Key }, mode: sync, timeout: 50s }
  slow: { flow: slow, auth: { api_key: "${secrets.KEY}", header: X-Api-Key }, mode: sync, timeout: 1ms }
  strict: { flow: strict, auth: { api_key: "${secrets.KEY}", header: X-Api-Key } }
  picks:
    flow: strict
    auth: { hmac_sha256: "${secrets.KEY}", header: X-Hub-Signature-256 }
    idempotency: X-GitHub-Delivery
    inputs:
      id: "${body.order.id}"
      text: "${headers.X-GitHub-Event} ${body.order.id} ${query.from}"
  open: { flow: echo, auth: none }
  unset: { flow: echo, auth: { api_key: "${secrets.NEW_KEY}", header: X-Api-Key } }
"#;

const STRICT: &str = "\
inputs:
  id: { type: integer, required: true }
  text: { type: string, default: nothing }
run: inputs
";

fn road() -> Road {
    Scene::pair("", "")
        .file("shop/workspace.yaml", HOOKS)
        .file("shop/flows/strict.yaml", STRICT)
        .script("shop/flows/echo.rhai", "#{ trigger: run::trigger(), inputs: inputs }")
        .script("shop/flows/fails.rhai", "throw \"the database is at 10.0.0.7\"")
        .script("shop/flows/slow.rhai", "sleep(\"300ms\"); 7")
        .road()
}

fn start(road: &Road) -> Runner<'_> {
    let runner = road.start();
    runner.cli_with(&["secret", "set", "KEY", "-w", "shop"], KEY).ends(0);
    runner
}

fn mac(key: &str, message: &[u8]) -> Vec<u8> {
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(key.as_bytes()).unwrap();
    mac.update(message);
    mac.finalize().into_bytes().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn seconds() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs()
}

fn with(runner: &Runner<'_>, headers: &[(&str, &str)]) -> Client {
    let client = runner.client().clone();
    headers.iter().fold(client, |client, (name, value)| client.header(name, value))
}

#[track_caller]
fn deliver(runner: &Runner<'_>, hook: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    let path = format!("/hooks/shop/{hook}");
    with(runner, headers).request("POST", &path, Some(body)).unwrap()
}

/// The run that a delivery must have started, when it has ended.
#[track_caller]
fn run_of(runner: &Runner<'_>, answer: &Answer) -> Value {
    runner.ended(answer.expect(202)["id"].as_str().unwrap())
}

#[track_caller]
fn refused(answer: &Answer) {
    let problem = answer.expect(401);
    assert_eq!(problem["code"], "SB0612");
    assert_eq!(
        problem["detail"], "the request does not prove that it is from the webhook's sender",
        "no reason is given"
    );
}

#[test]
fn a_signature_is_taken_as_senders_write_it() {
    let road = road();
    let runner = start(&road);
    let body = br#"{"n": 1}"#;
    let digest = mac(KEY, body);
    let written = [
        hex(&digest),
        format!("sha256={}", hex(&digest)),
        STANDARD.encode(&digest),
        format!("sha256={}", STANDARD.encode(&digest)),
    ];
    for signature in &written {
        let answer = deliver(&runner, "signed", &[("x-signature", signature)], body);
        let run = run_of(&runner, &answer);
        assert_eq!(run["result"], json!({ "trigger": "webhook", "inputs": { "n": 1 } }));
        assert_eq!(run["trigger"], json!({ "kind": "webhook", "webhook": "signed" }));
    }
    let id = runner.list("/runs")[0]["id"].as_str().unwrap().to_owned();
    assert!(runner.cli(&["show", &id]).ends(0).stdout.contains("webhook signed"));
    assert!(runner.client().get("/").text.contains("webhook"), "the page shows it");
}

#[test]
fn the_example_of_github_is_taken() {
    // From "Validating webhook deliveries" of GitHub's documentation.
    let road = road();
    let runner = start(&road);
    let signature = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
    let answer = deliver(&runner, "signed", &[("x-signature", signature)], b"Hello, World!");
    // The signature holds; the body is no JSON.
    assert_eq!(answer.expect(400)["code"], "SB0601");
    refused(&deliver(&runner, "signed", &[("x-signature", signature)], b"Hello, World?"));
}

#[test]
fn a_forged_signature_starts_nothing() {
    let road = road();
    let runner = start(&road);
    let body = br#"{"n": 1}"#;
    let good = hex(&mac(KEY, body));
    let other = hex(&mac("another key", body));
    let empty = hex(&mac("", body));
    for signature in ["", "sha256=", &good[..63], &other, &empty, &"0".repeat(64)] {
        refused(&deliver(&runner, "signed", &[("x-signature", signature)], body));
    }
    refused(&deliver(&runner, "signed", &[], body));
    refused(&deliver(&runner, "signed", &[("x-signature", &good)], br#"{"n": 2}"#));
    let twice = [("x-signature", good.as_str()), ("x-signature", good.as_str())];
    refused(&deliver(&runner, "signed", &twice, body));
    assert_eq!(runner.list("/runs"), Vec::<Value>::new());
}

#[test]
fn a_signed_time_keeps_what_was_recorded_from_being_sent_again() {
    let road = road();
    let runner = start(&road);
    let body = br#"{"n": 1}"#;
    let slack = |time: u64, sent: u64| {
        let message = [format!("v0:{time}:").as_bytes(), body].concat();
        let signature = format!("v0={}", hex(&mac(KEY, &message)));
        let sent = sent.to_string();
        let headers = [("x-slack-signature", &*signature), ("x-slack-request-timestamp", &*sent)];
        deliver(&runner, "stamped", &headers, body)
    };
    let now = seconds();
    let first = slack(now, now).expect(202);
    assert_eq!(slack(now, now).expect(202)["id"], first["id"], "the same again is the same run");
    assert_ne!(slack(now - 60, now - 60).expect(202)["id"], first["id"]);
    refused(&slack(now - 400, now - 400));
    refused(&slack(now + 400, now + 400));
    refused(&slack(now - 400, now));
    let stripe = |time: u64| {
        let message = [format!("{time}.").as_bytes(), body].concat();
        let signature = format!("t={time},v1={}", hex(&mac(KEY, &message)));
        deliver(&runner, "stripe", &[("stripe-signature", &signature)], body)
    };
    stripe(now).expect(202);
    refused(&stripe(now - 400));
}

#[test]
fn a_recorded_delivery_cannot_be_sent_under_a_new_name() {
    let road = road();
    let runner = start(&road);
    let now = seconds();
    let message = format!("{now}.{{}}");
    let signature = format!("t={now},v1={}", hex(&mac(KEY, message.as_bytes())));
    let send = |key: &str| {
        let headers = [("stripe-signature", &*signature), ("idempotency-key", key)];
        deliver(&runner, "stripe", &headers, b"{}").expect(202)
    };
    assert_eq!(send("a")["id"], send("b")["id"]);
}

#[test]
fn a_key_is_taken_right_and_refused_forged() {
    let road = road();
    let runner = start(&road);
    deliver(&runner, "keyed", &[("x-api-key", KEY)], b"{}").expect(202);
    runner.cli_with(&["secret", "set", "NEW_KEY", "-w", "shop"], "new").ends(0);
    deliver(&runner, "keyed", &[("x-api-key", KEY)], b"{}").expect(202);
    deliver(&runner, "keyed", &[("x-api-key", "new")], b"{}").expect(202);
    deliver(&runner, "bearer", &[("authorization", &format!("Bearer {KEY}"))], b"{}").expect(202);
    for forged in ["", "other", "It's a Secret to Everybody ", "It's a Secret to Everybod"] {
        if forged.trim_end() != KEY {
            refused(&deliver(&runner, "keyed", &[("x-api-key", forged)], b"{}"));
        }
    }
    refused(&deliver(&runner, "keyed", &[], b"{}"));
    refused(&deliver(&runner, "bearer", &[("authorization", "Bearer other")], b"{}"));
}

#[test]
fn user_and_password_are_taken_right_and_refused_forged() {
    let road = road();
    let runner = start(&road);
    let basic = |pair: &str| format!("Basic {}", STANDARD.encode(pair));
    let send = |value: &str| deliver(&runner, "basic", &[("authorization", value)], b"{}");
    send(&basic(&format!("nas:{KEY}"))).expect(202);
    let others = [basic("nas:other"), basic(&format!("root:{KEY}")), basic("nas:"), basic(KEY)];
    for forged in others.iter().map(String::as_str).chain(["Basic", "Basic !", KEY]) {
        let answer = send(forged);
        refused(&answer);
        assert_eq!(answer.header("www-authenticate"), Some("Basic realm=\"webhook\""));
    }
}

#[test]
fn a_sender_can_wait_for_the_result() {
    let road = road();
    let runner = start(&road);
    let key = [("x-api-key", KEY)];
    let answer = deliver(&runner, "waits", &key, br#"{"challenge": "x"}"#);
    assert_eq!(answer.expect(200)["inputs"]["challenge"], "x");
    let run = runner.show(answer.header("signalbox-run").unwrap());
    assert_eq!(run["state"], "succeeded");
    let failed = deliver(&runner, "fails", &key, b"{}");
    assert_eq!(failed.expect(502)["code"], "SB0614");
    assert!(!failed.text.contains("10.0.0.7"), "how it failed is not for senders");
    let slow = deliver(&runner, "slow", &key, b"{}").expect(202);
    assert_eq!(runner.ended(slow["id"].as_str().unwrap())["result"], 7);
}

#[test]
fn inputs_are_picked_from_the_request_and_a_delivery_is_one_run() {
    let road = road();
    let runner = start(&road);
    let send = |body: &[u8], delivery: &str| {
        let signature = format!("sha256={}", hex(&mac(KEY, body)));
        let headers = [
            ("x-hub-signature-256", &*signature),
            ("x-github-event", "push"),
            ("x-github-delivery", delivery),
        ];
        deliver(&runner, "picks?from=eu", &headers, body)
    };
    let body = br#"{"order": {"id": 7, "secret": "not picked"}, "more": [1, 2]}"#;
    let first = send(body, "guid-1");
    let run = run_of(&runner, &first);
    assert_eq!(run["inputs"], json!({ "id": 7, "text": "push 7 eu" }));
    assert_eq!(send(body, "guid-1").expect(202)["id"], run["id"]);
    assert_ne!(send(body, "guid-2").expect(202)["id"], run["id"]);
    assert_eq!(send(br#"{"order": {"id": 8}}"#, "guid-1").expect(409)["code"], "SB0608");
    let unfit = send(br#"{"order": {"id": "x"}}"#, "guid-3").expect(422);
    assert_eq!(unfit["faults"][0]["input"], "id");
    assert_eq!(send(br#"{"order": {}}"#, "guid-4").expect(422)["code"], "SB0602");
    assert_eq!(runner.list("/runs").len(), 2);
}

#[test]
fn many_at_once_of_one_delivery_are_one_run_and_stay_it_after_a_kill() {
    let road = road();
    let runner = start(&road);
    let headers = [("x-api-key", KEY), ("idempotency-key", "guid")];
    let ids = std::thread::scope(|scope| {
        let one = || deliver(&runner, "keyed", &headers, b"{}").expect(202)["id"].clone();
        let all: Vec<_> = (0..16).map(|_| scope.spawn(one)).collect();
        all.into_iter().map(|one| one.join().unwrap()).collect::<Vec<_>>()
    });
    assert!(ids.windows(2).all(|pair| pair[0] == pair[1]), "{ids:?}");
    runner.kill9();
    let runner = road.start();
    assert_eq!(deliver(&runner, "keyed", &headers, b"{}").expect(202)["id"], ids[0]);
    // Another webhook of the same flow has names of its own.
    let other = deliver(&runner, "waits", &headers, b"{}");
    assert_ne!(other.header("signalbox-run"), ids[0].as_str());
}

#[test]
fn webhooks_are_listed_with_what_they_miss() {
    let road = road();
    let runner = start(&road);
    let listed = runner.cli(&["webhook", "list", "--json"]).ends(0).json();
    let of = |name: &str| {
        let all = listed.as_array().unwrap().iter();
        all.into_iter().find(|hook| hook["name"] == name).unwrap().clone()
    };
    assert_eq!(of("signed")["url"], format!("{}/hooks/shop/signed", runner.url()));
    assert_eq!(
        (&of("signed")["auth"], &of("signed")["ready"]),
        (&json!("hmac_sha256"), &json!(true))
    );
    assert_eq!(of("keyed")["missing_secrets"], json!(["NEW_KEY"]));
    assert_eq!((&of("keyed")["ready"], &of("unset")["ready"]), (&json!(true), &json!(false)));
    let said = runner.cli(&["webhook", "list", "-w", "shop"]).ends(0).stdout;
    assert!(said.contains("open to anybody") && said.contains("NEW_KEY is not set"), "{said}");
    assert_eq!(runner.cli(&["webhook", "list", "-w", "ops", "--json"]).ends(0).json(), json!([]));
    let doctor = runner.cli(&["doctor", "--json"]).json();
    let found = doctor["checks"].as_array().unwrap().iter().find(|one| one["name"] == "webhooks");
    assert_eq!(found.unwrap()["verdict"], "warn", "{doctor:#}");
    let (code, validated) = road.validate();
    let open = validated["diagnostics"].as_array().unwrap().iter();
    let open: Vec<_> = open.filter(|found| found["code"] == "SB0123").collect();
    assert_eq!((code, open.len(), &open[0]["severity"]), (0, 1, &json!("warning")));
    let answer = deliver(&runner, "unset", &[("x-api-key", "x")], b"{}");
    assert_eq!(answer.expect(503)["code"], "SB0613");
    assert!(!answer.text.contains("NEW_KEY"), "{}", answer.text);
}

//! Webhooks and senders that do as they like.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use signalbox_e2e::{Road, Runner, Scene};
use signalbox_testkit::Answer;

const KEY: &str = "k3y";
const MIB: usize = 1 << 20;

const HOOKS: &str = r#"
secrets: [KEY]
webhooks:
  keyed: { flow: echo, auth: { api_key: "${secrets.KEY}", header: X-Api-Key } }
  picks:
    flow: echo
    auth: { hmac_sha256: "${secrets.KEY}", header: X-Signature }
    inputs: { small: "${body.small}", all: "${body.large.0}" }
  reaches: { flow: reaches, auth: { api_key: "${secrets.KEY}", header: X-Api-Key } }
"#;

fn road() -> Road {
    Scene::pair("", "")
        .file("shop/workspace.yaml", HOOKS)
        .script("shop/flows/echo.rhai", "inputs.len()")
        .script("shop/flows/reaches.rhai", "http::get(inputs.url).status")
        .road()
}

fn start(road: &Road) -> Runner<'_> {
    let runner = road.start();
    runner.cli_with(&["secret", "set", "KEY", "-w", "shop"], KEY).ends(0);
    runner
}

#[track_caller]
fn deliver(runner: &Runner<'_>, hook: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    let client = runner.client().clone().header("x-api-key", KEY);
    let client = headers.iter().fold(client, |client, (name, value)| client.header(name, value));
    client.request("POST", &format!("/hooks/{hook}"), Some(body)).unwrap()
}

fn signed(runner: &Runner<'_>, body: &[u8]) -> Answer {
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(KEY.as_bytes()).unwrap();
    mac.update(body);
    let digest = mac.finalize().into_bytes();
    let signature: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    deliver(runner, "shop/picks", &[("x-signature", &signature)], body)
}

#[test]
fn a_large_body_is_taken_for_the_little_that_is_picked_from_it() {
    let road = road();
    let runner = start(&road);
    let filler = "x".repeat(24 * MIB);
    let body = format!(r#"{{"large": [1, "{filler}"], "small": [1, 2]}}"#);
    let run = signed(&runner, body.as_bytes()).expect(202);
    let run = runner.ended(run["id"].as_str().unwrap());
    assert_eq!(run["inputs"], json!({ "small": [1, 2], "all": 1 }));
    let picked = format!(r#"{{"large": ["{}"]}}"#, "x".repeat(MIB + 1));
    assert_eq!(signed(&runner, picked.as_bytes()).expect(413)["code"], "SB0606");
    // What is announced to be over the bound is refused before any of it comes.
    let host = runner.url().trim_start_matches("http://");
    let mut stream = TcpStream::connect(host).unwrap();
    let head = format!(
        "POST /hooks/shop/picks HTTP/1.1\r\nhost: {host}\r\nx-signature: {}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n",
        "0".repeat(64),
        25 * MIB + 1
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 413");
    assert_eq!(runner.list("/runs").len(), 1);
}

#[test]
fn what_is_no_json_object_starts_nothing() {
    let road = road();
    let runner = start(&road);
    let form = [("content-type", "application/x-www-form-urlencoded")];
    for headers in [form, [("content-type", "text/plain")]] {
        let answer = deliver(&runner, "shop/keyed", &headers, b"{}");
        assert_eq!(answer.expect(415)["code"], "SB0609");
    }
    let bad: [&[u8]; 6] =
        [b"{", b"{} {}", b"\xff\xfe", b"nope", b"{\"n\": 99999999999999999999}", b"\xef\xbb\xbf{}"];
    for body in bad {
        assert_eq!(deliver(&runner, "shop/keyed", &[], body).expect(400)["code"], "SB0601");
    }
    assert_eq!(deliver(&runner, "shop/keyed", &[], b"[1]").expect(422)["code"], "SB0602");
    let deep = format!("{{\"a\": {}{}}}", "[".repeat(5_000), "]".repeat(5_000));
    assert_eq!(deliver(&runner, "shop/keyed", &[], deep.as_bytes()).status, 400);
    assert_eq!(runner.list("/runs"), Vec::<Value>::new());
}

#[test]
fn a_body_that_comes_slowly_or_not_at_all_keeps_nobody_waiting() {
    let road = road();
    let runner = start(&road);
    let host = runner.url().trim_start_matches("http://");
    let head = format!(
        "POST /hooks/shop/keyed HTTP/1.1\r\nhost: {host}\r\nx-api-key: {KEY}\r\n\
         content-type: application/json\r\ncontent-length: 100\r\n\r\n{{"
    );
    let slow: Vec<_> = (0..50)
        .map(|_| {
            let mut stream = TcpStream::connect(host).unwrap();
            stream.write_all(head.as_bytes()).unwrap();
            stream
        })
        .collect();
    deliver(&runner, "shop/keyed", &[], b"{}").expect(202);
    drop(slow);
    deliver(&runner, "shop/keyed", &[], b"{}").expect(202);
    assert_eq!(runner.list("/runs").len(), 2);
}

#[test]
fn a_webhook_is_of_its_workspace_and_of_what_is_live() {
    let road = road();
    let runner = start(&road);
    let unknown = deliver(&runner, "shop/nothing", &[], b"{}");
    unknown.expect(404);
    for other in ["ops/keyed", "nowhere/keyed", "shop/echo"] {
        assert_eq!(deliver(&runner, other, &[], b"{}").text, unknown.text, "{other}");
    }
    road.push("shop/workspace.yaml", "description: no hooks\n");
    assert_eq!(runner.sync_of("shop")["outcome"], "deployed");
    assert_eq!(deliver(&runner, "shop/keyed", &[], b"{}").text, unknown.text);
}

#[test]
fn a_run_of_a_webhook_has_no_more_rights_than_any_other() {
    let road = road();
    let runner = start(&road);
    let body = json!({ "url": format!("{}/api/v1/runs", runner.url()) }).to_string();
    let run = deliver(&runner, "shop/reaches", &[], body.as_bytes()).expect(202);
    let run = runner.ended(run["id"].as_str().unwrap());
    assert_eq!((&run["state"], &run["error"]["code"]), (&json!("failed"), &json!("SB0506")));
}

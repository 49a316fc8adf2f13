//! Bad input: a problem document that says what is wrong, and nothing lost.

use serde_json::{Value, json};
use signalbox_e2e::{Runner, Scene};

const START: &str = "/api/v1/workspaces/ops/flows/hello/runs";

/// Sends a body; the answer must be a problem with a status and a code.
#[track_caller]
fn problem(runner: &Runner<'_>, method: &str, path: &str, body: Option<&[u8]>) -> (u16, Value) {
    let answer = runner.client().request(method, path, body).unwrap();
    let kind = answer.header("content-type");
    assert_eq!(kind, Some("application/problem+json"), "{method} {path}: {}", answer.text);
    let problem = answer.json();
    for field in ["type", "title", "code", "detail"] {
        let text = problem[field].as_str().unwrap_or_default();
        assert!(!text.is_empty(), "{method} {path}: no {field} in {problem}");
    }
    assert_eq!(problem["status"], answer.status, "{problem}");
    (answer.status, problem["code"].clone())
}

#[test]
fn bodies_that_cannot_be_read_are_problems() {
    let road = Scene::platform().road();
    let runner = road.start();
    let deep = format!("{{\"inputs\": {}{}}}", "[".repeat(100_000), "]".repeat(100_000));
    let deeper = format!("{{\"inputs\": {{\"a\": {}{}}}}}", "[".repeat(70), "]".repeat(70));
    let bodies: [&[u8]; 12] = [
        b"{",
        b"[]",
        b"null",
        b"\"text\"",
        b"{\"inputs\": []}",
        b"{\"inputs\": {}, \"more\": 1}",
        b"{\"inputs\": {\"n\": 9223372036854775808}}",
        b"{\"inputs\": {\"n\": 1e999}}",
        b"{\"inputs\": {\"s\": \"\\ud800\"}}",
        b"{\"inputs\": {\"s\": \"\xff\xfe\"}}",
        deep.as_bytes(),
        deeper.as_bytes(),
    ];
    for body in bodies {
        let (status, _) = problem(&runner, "POST", START, Some(body));
        let shown = String::from_utf8_lossy(&body[..body.len().min(60)]);
        assert!(matches!(status, 400 | 413 | 422), "{status} for {shown}");
    }
    assert_eq!(runner.list("/runs"), Vec::<Value>::new());
    assert_eq!(runner.result("ops/hello"), "hello from ops");
}

#[test]
fn bodies_over_their_bound_are_refused() {
    let road = Scene::platform().road();
    let runner = road.start();
    let body = json!({ "inputs": { "s": "x".repeat(2 << 20) } }).to_string();
    let (status, _) = problem(&runner, "POST", START, Some(body.as_bytes()));
    assert!(matches!(status, 413 | 422), "{status}");
    let huge = vec![b' '; 5 << 20];
    if let Ok(answer) = runner.client().request("POST", START, Some(&huge)) {
        assert_eq!((answer.status, &answer.json()["code"]), (413, &json!("SB0606")));
    }
    assert_eq!(runner.list("/runs"), Vec::<Value>::new());
}

#[test]
fn only_json_is_taken() {
    let road = Scene::platform().road();
    let runner = road.start();
    for kind in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "json"] {
        let client = runner.client().clone().header("content-type", kind);
        let answer = client.request("POST", START, Some(b"{}")).unwrap();
        assert_eq!((answer.status, &answer.json()["code"]), (415, &json!("SB0609")), "{kind}");
    }
    let client = runner.client().clone().header("content-type", "application/json; charset=utf-8");
    assert_eq!(client.request("POST", START, Some(b"{}")).unwrap().status, 202);
}

#[test]
fn web_pages_of_others_cannot_drive_the_runner() {
    let road = Scene::platform().road();
    let runner = road.start();
    for (name, value) in
        [("host", "evil.example:8742"), ("origin", "https://evil.example"), ("origin", "null")]
    {
        let client = runner.client().clone().header(name, value);
        let answer = client.request("POST", START, Some(b"{}")).unwrap();
        assert!(matches!(answer.status, 400 | 403 | 421), "{name}: {value} got {}", answer.status);
        assert_eq!(answer.json()["code"], "SB0605", "{name}: {value}");
    }
    assert_eq!(runner.list("/runs"), Vec::<Value>::new());
}

#[test]
fn what_is_not_there_is_404_and_what_is_not_allowed_405() {
    let road = Scene::platform().road();
    let runner = road.start();
    let nobody = "00000000-0000-7000-8000-000000000000";
    for path in [
        "/api/v1/workspaces/nobody".to_owned(),
        "/api/v1/workspaces/ops/flows/none".to_owned(),
        "/api/v1/workspaces/../../etc/passwd".to_owned(),
        "/api/v1/workspaces/%00/flows".to_owned(),
        "/api/v1/workspaces/%ff".to_owned(),
        format!("/api/v1/runs/{nobody}"),
        format!("/api/v1/runs/{nobody}/journal"),
        "/api/v1/runs/not-a-run".to_owned(),
        "/api/v1/nothing".to_owned(),
        "/nothing".to_owned(),
    ] {
        let (status, _) = problem(&runner, "GET", &path, None);
        assert!(matches!(status, 404 | 400), "{status} for {path}");
    }
    let (status, code) = problem(&runner, "DELETE", "/api/v1/runs", None);
    assert_eq!((status, code), (405, json!("SB0611")));
}

#[test]
fn queries_that_cannot_be_read_are_problems() {
    let road = Scene::platform().road();
    let runner = road.start();
    for query in [
        "limit=0",
        "limit=1001",
        "limit=-1",
        "limit=x",
        "cursor=x",
        "state=gone",
        "since=yesterday",
        "workspace=NOT%20A%20NAME",
        "unknown=1",
        "flow=%2e%2e%2f",
        "limit=99999999999999999999",
    ] {
        let (status, _) = problem(&runner, "GET", &format!("/api/v1/runs?{query}"), None);
        assert_eq!(status, 400, "{query}");
    }
    let (status, _) = problem(&runner, "POST", &format!("{START}?wait=301"), Some(b"{}"));
    assert_eq!(status, 400);
}

#[test]
fn a_cursor_walks_a_list_without_gap_or_overlap() {
    let road = Scene::platform().road();
    let runner = road.start();
    let mut runs: Vec<_> = (0..7).map(|_| runner.accept("ops/hello", &json!({}))).collect();
    runs.reverse();
    let mut seen = Vec::new();
    let mut path = "/runs?limit=3".to_owned();
    loop {
        let page = runner.get(&path);
        seen.extend(page["items"].as_array().unwrap().iter().map(|run| run["id"].clone()));
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/runs?limit=3&cursor={next}");
    }
    assert_eq!(seen, runs);
}

#[test]
fn requests_that_are_no_http_leave_the_server_alone() {
    use std::io::{Read as _, Write as _};
    let road = Scene::platform().road();
    let runner = road.start();
    let address = runner.url().trim_start_matches("http://");
    for garbage in
        [&b"\x16\x03\x01\x00"[..], b"GET\r\n\r\n", b"POST / HTTP/9.9\r\n\r\n", &[0xff; 4096]]
    {
        let mut connection = std::net::TcpStream::connect(address).unwrap();
        // Whatever it answers, and however early, it closes the connection.
        drop(connection.write_all(garbage));
        drop(connection.shutdown(std::net::Shutdown::Write));
        drop(connection.read_to_end(&mut Vec::new()));
    }
    assert_eq!(runner.result("ops/hello"), "hello from ops");
}

use super::fixture::{Ask, Fixture, START};
use crate::body::MAX_BODY;

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_body_is_a_problem_and_starts_nothing() {
    let server = Fixture::open().await;
    let deep = format!(r#"{{"inputs":{{"any":{}1{}}}}}"#, "[".repeat(100), "]".repeat(100));
    let deeper = format!(r#"{{"inputs":{}"#, "[".repeat(100_000));
    for (body, status, code) in [
        ("{", 400, "SB0601"),
        ("[]", 400, "SB0601"),
        ("null", 400, "SB0601"),
        ("{} {}", 400, "SB0601"),
        (r#"{"inputs":{},"other":1}"#, 400, "SB0601"),
        (r#"{"inputs":{},"inputs":{}}"#, 400, "SB0601"),
        (r#"{"idempotency_key":7}"#, 400, "SB0601"),
        (r#"{"inputs":{"n":9223372036854775808}}"#, 400, "SB0601"),
        (r#"{"inputs":{"any":1e999}}"#, 400, "SB0601"),
        (&deep, 400, "SB0601"),
        (&deeper, 400, "SB0601"),
        (r#"{"inputs":[]}"#, 422, "SB0602"),
        (r#"{"inputs":{"n":-1}}"#, 422, "SB0602"),
        (r#"{"inputs":{"m":1}}"#, 422, "SB0602"),
    ] {
        let answer = server.post(START, body).await;
        let shown = &body[..body.len().min(80)];
        assert_eq!(answer.problem(), (status, code.to_owned()), "{shown} {answer:?}");
    }
    let unreadable = Ask::new("POST", START).header("Content-Type", "application/json");
    let answer = server.send(unreadable.body(b"{\"inputs\":{\"any\":\"\xff\"}}")).await;
    assert_eq!(answer.problem(), (400, "SB0601".to_owned()));
    assert_eq!(server.get("/api/v1/runs").await.json()["items"], serde_json::json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_of_inputs_are_listed() {
    let server = Fixture::open().await;
    let answer = server.post(START, r#"{"inputs":{"n":"x","m":1}}"#).await;
    let faults = answer.json()["faults"].clone();
    assert_eq!(faults[0]["input"], "m");
    assert_eq!(faults[1]["message"], "must be of type integer, not string");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_json_is_taken_as_a_body() {
    let server = Fixture::open().await;
    for kind in ["text/plain", "application/x-www-form-urlencoded", "application/jsonx", ""] {
        let ask = Ask::new("POST", START).header("Content-Type", kind);
        for ask in [ask.clone().body(b"{}"), ask.body(b"")] {
            let answer = server.send(ask).await;
            assert_eq!(answer.problem(), (415, "SB0609".to_owned()), "{kind}");
        }
    }
    let unnamed = server.send(Ask::new("POST", START).body(b"{}")).await;
    assert_eq!(unnamed.problem(), (415, "SB0609".to_owned()));
    let good = Ask::new("POST", START).header("Content-Type", "Application/JSON; charset=utf-8");
    assert_eq!(server.send(good.body(b"{}")).await.status, 202);
    assert_eq!(server.send(Ask::new("POST", START)).await.status, 202);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_oversized_body_is_refused_announced_or_not() {
    let server = Fixture::open().await;
    let announced = Ask::new("POST", START)
        .header("Content-Type", "application/json")
        .header("Content-Length", &(MAX_BODY + 1).to_string());
    assert_eq!(server.send(announced).await.problem(), (413, "SB0606".to_owned()));
    let piece = [b"100000\r\n".as_slice(), &vec![b' '; 1 << 20], b"\r\n"].concat();
    let mut body = piece.repeat(5);
    body.extend(b"0\r\n\r\n");
    let chunked = Ask::new("POST", START)
        .header("Content-Type", "application/json")
        .header("Transfer-Encoding", "chunked")
        .raw(&body);
    assert_eq!(server.send(chunked).await.problem(), (413, "SB0606".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_parameters_are_named() {
    let server = Fixture::open().await;
    for (query, word) in [
        ("runs?limit=0", "limit"),
        ("runs?limit=1001", "limit"),
        ("runs?limit=-1", "limit"),
        ("runs?limit=x", "limit"),
        ("runs?cursor=7", "cursor"),
        ("runs?since=yesterday", "since"),
        ("runs?state=done", "state"),
        ("runs?workspace=A", "workspace"),
        ("runs?stat=queued", "stat"),
        ("calls?decision=maybe", "maybe"),
        ("schedules/next?limit=1001", "limit"),
        ("events?topic=weather", "weather"),
        ("events?run=7", "run"),
        ("runs?workspace=%ff", ""),
    ] {
        let answer = server.get(&format!("/api/v1/{query}")).await;
        assert_eq!(answer.problem(), (400, "SB0601".to_owned()), "{query}");
        let detail = answer.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains(word), "{query}: {detail}");
    }
    let waiting = server.post(&format!("{START}?wait=301"), "{}").await;
    assert_eq!(waiting.problem().0, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_is_not_found() {
    let server = Fixture::open().await;
    let no_run = "00000000-0000-7000-8000-000000000000";
    for (path, code) in [
        ("/nowhere", "SB0603"),
        ("/api/v1", "SB0603"),
        ("/api/v1/runs/7", "SB0603"),
        ("/api/v1/runs/%ff", "SB0603"),
        (&*format!("/api/v1/runs/{no_run}"), "SB0603"),
        (&*format!("/api/v1/runs/{no_run}/journal"), "SB0603"),
        (&*format!("/api/v1/runs/{no_run}/logs"), "SB0603"),
        (&*format!("/api/v1/runs/{no_run}/logs?follow=true"), "SB0603"),
        (&*format!("/api/v1/runs/{}", no_run.replace('8', "A")), "SB0603"),
        ("/api/v1/workspaces/none", "SB0310"),
        ("/api/v1/workspaces/none/flows", "SB0310"),
        ("/api/v1/workspaces/none/secrets", "SB0310"),
        ("/api/v1/workspaces/media/flows/none", "SB0309"),
        ("/api/v1/workspaces/media/flows/../../x", "SB0309"),
    ] {
        assert_eq!(server.get(path).await.problem(), (404, code.to_owned()), "{path}");
    }
    for path in
        ["/api/v1/workspaces/media/flows/none/runs", "/api/v1/workspaces/media/flows/a.b/runs"]
    {
        assert_eq!(server.post(path, "{}").await.problem(), (404, "SB0309".to_owned()), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_method_that_a_route_does_not_have_is_named() {
    let server = Fixture::open().await;
    for (method, path) in [("DELETE", "/api/v1/runs"), ("PUT", "/"), ("POST", "/healthz")] {
        let answer = server.send(Ask::new(method, path)).await;
        assert_eq!(answer.problem(), (405, "SB0611".to_owned()), "{method} {path}");
        assert!(answer.header("allow").is_some(), "{method} {path}");
    }
}

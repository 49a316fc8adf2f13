use super::fixture::{Ask, Fixture, read_until};

#[tokio::test(flavor = "multi_thread")]
async fn what_happens_is_told_and_told_again_to_who_comes_back() {
    let server = Fixture::open().await;
    let mut stream = server.connect(Ask::new("GET", "/api/v1/events?workspace=media")).await;
    let head = read_until(&mut stream, "content-type").await;
    assert!(head.contains("text/event-stream"), "{head}");
    let id = server.start_run("{}").await;
    let told = read_until(&mut stream, "data: {").await;
    assert!(told.contains(&id) && told.contains("\"state\":\"queued\""), "{told}");
    let seen: u64 = told
        .lines()
        .chain(read_until(&mut stream, "id:").await.lines())
        .find_map(|line| line.strip_prefix("id: ")?.parse().ok())
        .unwrap();
    let back = Ask::new("GET", "/api/v1/events?topic=run");
    let back = back.header("Last-Event-ID", &(seen - 1).to_string());
    let mut stream = server.connect(back).await;
    let again = read_until(&mut stream, "data: {").await;
    assert!(again.contains(&id) && !again.contains("reset"), "{again}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_back_too_late_must_read_anew() {
    let server = Fixture::open().await;
    let late = Ask::new("GET", "/api/v1/events").header("Last-Event-ID", "7");
    let mut stream = server.connect(late).await;
    read_until(&mut stream, "event: reset").await;
    let bad = Ask::new("GET", "/api/v1/events").header("Last-Event-ID", "seven");
    assert_eq!(server.send(bad).await.problem().0, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_followed_log_ends_with_its_run() {
    let server = Fixture::open().await;
    let id = server.start_run("{}").await;
    let path = format!("/api/v1/runs/{id}/logs?follow=true");
    let mut stream = server.connect(Ask::new("GET", &path)).await;
    read_until(&mut stream, "content-type").await;
    let other = server.start_run("{}").await;
    for run in [other, id] {
        let cancel = format!("/api/v1/runs/{run}/cancel");
        assert_eq!(server.send(Ask::new("POST", &cancel)).await.status, 202);
    }
    let end = read_until(&mut stream, "data: {").await;
    assert!(end.contains("event: end") && end.contains("cancelled"), "{end}");
    // The log of an ended run ends at once.
    let answer = server.get(&path).await;
    assert!(answer.body.contains("event: end"), "{answer:?}");
    let lines = server.get(&path.replace("?follow=true", "")).await.json();
    assert_eq!(lines, serde_json::json!({ "items": [], "next": null }));
}

#[tokio::test(flavor = "multi_thread")]
async fn stopping_ends_streams_and_waits() {
    let server = Fixture::open().await;
    let mut events = server.connect(Ask::new("GET", "/api/v1/events")).await;
    read_until(&mut events, "content-type").await;
    let waiting = format!("{}?wait=300", super::fixture::START);
    let mut waiting = server.connect(Ask::new("POST", &waiting).json("{}")).await;
    // The run is accepted before the server stops, so that the wait is what ends.
    read_until(&mut events, "queued").await;
    server.stop().await;
    let answer = read_until(&mut waiting, "HTTP/1.1").await;
    assert!(answer.contains("202"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_and_its_end_are_told_once_each() {
    let server = Fixture::open().await;
    let mut stream = server.connect(Ask::new("GET", "/api/v1/events?topic=schedule")).await;
    read_until(&mut stream, "content-type").await;
    let one = r#"{"workspace":"media","flow":"monitoring/scan"}"#;
    for _ in 0..2 {
        assert_eq!(server.post("/api/v1/schedules/pause", one).await.status, 200);
    }
    let paused = read_until(&mut stream, "data: {").await;
    assert!(paused.contains("event: schedule") && paused.contains("\"paused\":true"), "{paused}");
    assert!(paused.contains("\"flow\":\"monitoring/scan\""), "{paused}");
    assert_eq!(server.post("/api/v1/schedules/resume", one).await.status, 200);
    let resumed = read_until(&mut stream, "data: {").await;
    assert!(resumed.contains("\"paused\":false"), "what was paused already is no news: {resumed}");
    server.post("/api/v1/workspaces/media/pause", "{}").await;
    let all = read_until(&mut stream, "data: {").await;
    assert!(all.contains("\"paused\":true") && !all.contains("\"flow\""), "{all}");
}

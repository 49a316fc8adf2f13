use super::fixture::{Ask, Fixture, START};

#[tokio::test(flavor = "multi_thread")]
async fn an_accepted_run_is_shown_whole() {
    let server = Fixture::open().await;
    let answer = server.post(START, r#"{"inputs":{"n":1,"any":[0.1,9223372036854775807]}}"#).await;
    let id = answer.json()["id"].as_str().unwrap().to_owned();
    assert_eq!(answer.header("location"), Some(&*format!("/api/v1/runs/{id}")));
    let run = server.get(&format!("/api/v1/runs/{id}")).await;
    let mut shown = run.json();
    // Every field that clients rely on is there, also when it is empty.
    for field in [
        "id",
        "workspace",
        "flow",
        "revision",
        "tree",
        "trigger",
        "state",
        "reason",
        "attempt",
        "inputs",
        "result",
        "error",
        "parent_run",
        "caller",
        "isolation",
        "queued_at",
        "started_at",
        "ended_at",
        "duration_ms",
        "steps",
    ] {
        assert!(shown.get(field).is_some(), "{field}");
    }
    assert_eq!(shown["id"], *id);
    assert!(run.body.contains("[0.1,9223372036854775807]"), "{}", run.body);
    shown["id"] = "ID".into();
    insta::assert_json_snapshot!("run", shown);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flow_is_named_with_slashes_or_encoded() {
    let server = Fixture::open().await;
    let encoded = "/api/v1/workspaces/media/flows/monitoring%2Fscan";
    assert_eq!(server.post(&format!("{encoded}/runs"), "{}").await.status, 202);
    let flow = server.get(encoded).await.json();
    assert_eq!(flow, server.get("/api/v1/workspaces/media/flows/monitoring/scan").await.json());
    assert_eq!(flow["inputs"]["properties"]["n"]["type"], "integer");
    assert_eq!(flow["schedules"][0]["cron"], "0 0 1 1 *");
    assert_eq!(flow["calls"][0]["target"], "alerts.send");
    assert_eq!(flow["steps"][0]["kind"], "run");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_key_starts_one_run() {
    let server = Fixture::open().await;
    let body = r#"{"inputs":{"n":1},"idempotency_key":"k"}"#;
    let first = server.post(START, body).await.json();
    assert_eq!(server.post(START, body).await.json(), first);
    let keyed = Ask::new("POST", START).header("Idempotency-Key", "k");
    assert_eq!(server.send(keyed.clone().json(r#"{"inputs":{"n":1}}"#)).await.json(), first);
    let other = server.send(keyed.clone().json(r#"{"inputs":{"n":2}}"#)).await;
    assert_eq!(other.problem(), (409, "SB0608".to_owned()));
    let both = server.send(keyed.json(r#"{"idempotency_key":"other"}"#)).await;
    assert_eq!(both.problem().0, 400);
    let long = format!(r#"{{"idempotency_key":"{}"}}"#, "k".repeat(201));
    assert_eq!(server.post(START, &long).await.problem().0, 400);
    let runs = server.get("/api/v1/runs").await.json();
    assert_eq!(runs["items"].as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_queue_asks_for_patience() {
    let server = Fixture::open().await;
    for _ in 0..5 {
        server.start_run("{}").await;
    }
    let refused = server.post(START, "{}").await;
    assert_eq!(refused.problem(), (429, "SB0607".to_owned()));
    assert!(refused.header("retry-after").is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_are_filtered_and_come_in_parts_newest_first() {
    let server = Fixture::open().await;
    let mut started = Vec::new();
    for _ in 0..5 {
        started.push(server.start_run("{}").await);
    }
    let mut seen = Vec::new();
    let mut path = "/api/v1/runs?limit=2".to_owned();
    loop {
        let part = server.get(&path).await.json();
        let ids = part["items"].as_array().unwrap().iter().map(|run| run["id"].clone());
        seen.extend(ids.map(|id| id.as_str().unwrap().to_owned()));
        let Some(next) = part["next"].as_str() else { break };
        path = format!("/api/v1/runs?limit=2&cursor={next}");
    }
    started.reverse();
    assert_eq!(seen, started);
    for (query, count) in [
        ("workspace=media&flow=monitoring/scan&state=queued", 5),
        ("since=2000-01-01T00:00:00Z", 5),
        ("state=failed", 0),
        ("workspace=other", 0),
        ("since=2200-01-01T00:00:00Z", 0),
    ] {
        let found = server.get(&format!("/api/v1/runs?{query}")).await.json();
        assert_eq!(found["items"].as_array().unwrap().len(), count, "{query}");
        assert!(found["next"].is_null());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn waiting_for_a_run_that_does_not_end_answers_its_id() {
    let server = Fixture::open().await;
    let answer = server.post(&format!("{START}?wait=0"), "{}").await;
    assert_eq!(answer.status, 202);
    assert!(answer.json()["id"].is_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_cancelled_once_and_can_run_again() {
    let server = Fixture::open().await;
    let id = server.start_run(r#"{"n":3}"#).await;
    let rerun = format!("/api/v1/runs/{id}/rerun");
    assert_eq!(server.post(&rerun, "{}").await.problem().0, 409);
    let cancel = format!("/api/v1/runs/{id}/cancel");
    assert_eq!(server.send(Ask::new("POST", &cancel)).await.status, 202);
    let run = server.get(&format!("/api/v1/runs/{id}")).await.json();
    assert_eq!((&run["state"], &run["reason"]), (&"cancelled".into(), &"cancel_requested".into()));
    let again = server.post(&rerun, r#"{"newest":true}"#).await;
    assert_eq!(again.status, 202);
    let again = server.get(&format!("/api/v1/runs/{}", again.json()["id"].as_str().unwrap())).await;
    assert_eq!(again.json()["trigger"], serde_json::json!({ "kind": "retry", "of": id }));
    assert_eq!(again.json()["inputs"], run["inputs"]);
}

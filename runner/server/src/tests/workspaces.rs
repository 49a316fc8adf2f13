use super::fixture::{Ask, Fixture};

#[tokio::test(flavor = "multi_thread")]
async fn a_workspace_is_shown_and_known_again_by_its_tag() {
    let server = Fixture::open().await;
    let path = "/api/v1/workspaces/media";
    let first = server.get(path).await;
    let tag = first.header("etag").unwrap();
    let shown = first.json();
    for field in [
        "id",
        "name",
        "kind",
        "title",
        "description",
        "environment",
        "owner",
        "tags",
        "state",
        "live_revision",
        "wanted_revision",
        "tree",
        "config_hash",
        "created_at",
        "updated_at",
        "last_deployment",
        "counts",
    ] {
        assert!(shown.get(field).is_some(), "{field}");
    }
    assert_eq!((&shown["kind"], &shown["state"]), (&"platform".into(), &"live".into()));
    for same in [tag, &format!("W/{tag}"), &format!("\"x\", {tag}"), "*"] {
        let again = server.send(Ask::new("GET", path).header("If-None-Match", same)).await;
        assert_eq!((again.status, &*again.body), (304, ""), "{same}");
    }
    server.start_run("{}").await;
    let changed = server.send(Ask::new("GET", path).header("If-None-Match", tag)).await;
    assert_eq!(changed.json()["counts"]["runs"]["queued"], 1);
    let list = server.get("/api/v1/workspaces").await.json();
    assert_eq!(list["items"][0]["name"], "media");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sync_says_what_is_wrong_with_the_source() {
    let server = Fixture::open().await;
    let waited = server.post("/api/v1/sync", r#"{"wait":60}"#).await;
    assert_eq!(waited.status, 200);
    let report = waited.json();
    assert_eq!(report["diagnostics"][0]["code"], "SB0120", "{report}");
    assert!(report["workspaces"].is_array());
    let source = server.get("/api/v1/source").await.json();
    assert_eq!((&source["head"], &source["healthy"]), (&report["revision"], &false.into()));
    assert_eq!(source["diagnostics"], report["diagnostics"]);
    assert_eq!(server.post("/api/v1/sync", "{}").await.status, 202);
    let one = server.post("/api/v1/workspaces/media/sync", r#"{"wait":60}"#).await;
    assert_eq!(one.json()["diagnostics"][0]["code"], "SB0120");
    let bad = server.post("/api/v1/sync", r#"{"revision":"main"}"#).await;
    assert_eq!(bad.problem().0, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn deployments_are_listed_with_every_field() {
    let server = Fixture::open().await;
    let list = server.get("/api/v1/workspaces/media/deployments").await.json();
    insta::assert_json_snapshot!("deployments", list);
    let nothing = server.post("/api/v1/workspaces/media/rollback", "{}").await;
    assert!((400..500).contains(&nothing.problem().0), "{nothing:?}");
    let bad = server.post("/api/v1/workspaces/media/rollback", r#"{"to":"first"}"#).await;
    assert_eq!(bad.problem().0, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_goes_in_and_never_comes_out() {
    let server = Fixture::open().await;
    let path = "/api/v1/workspaces/media/secrets";
    let declared = server.get(path).await.json();
    assert_eq!(
        declared["items"][0],
        serde_json::json!({"name": "API_KEY", "set": false, "set_at": null})
    );
    let put = Ask::new("PUT", &format!("{path}/API_KEY")).json(r#"{"value":"hunter2"}"#);
    assert_eq!(server.send(put).await.status, 204);
    let set = server.get(path).await;
    assert_eq!(set.json()["items"][0]["set"], true);
    assert!(!set.body.contains("hunter2"));
    let misnamed = Ask::new("PUT", &format!("{path}/api-key")).json(r#"{"value":"x"}"#);
    assert_eq!(server.send(misnamed).await.problem().0, 400);
    let without = Ask::new("PUT", &format!("{path}/API_KEY")).json("{}");
    assert_eq!(server.send(without).await.problem().0, 400);
    let delete = || Ask::new("DELETE", &format!("{path}/API_KEY"));
    assert_eq!(server.send(delete()).await.status, 204);
    assert_eq!(server.send(delete()).await.problem().0, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn schedules_are_listed_and_their_slots_foretold() {
    let server = Fixture::open().await;
    let schedules = server.get("/api/v1/schedules").await.json();
    assert_eq!(schedules["items"][0]["next_at"], "2101-01-01T00:00:00.000000Z");
    let slots = server.get("/api/v1/schedules/next?limit=1").await.json();
    assert_eq!(slots["items"][0]["at"], "2101-01-01T00:00:00.000000Z");
    assert_eq!(slots["items"][0]["flow"], "monitoring/scan");
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_count_what_there_is() {
    let server = Fixture::open().await;
    server.start_run("{}").await;
    let metrics = server.get("/metrics").await;
    assert!(metrics.header("content-type").unwrap().starts_with("text/plain"));
    for line in [
        "signalbox_runs{workspace=\"media\",state=\"queued\"} 1",
        "signalbox_runs{workspace=\"media\",state=\"failed\"} 0",
        "signalbox_schedules{workspace=\"media\"} 1",
        "signalbox_workspaces{state=\"live\"} 1",
        "signalbox_info{version=\"0.0.0-test\"} 1",
    ] {
        assert!(metrics.body.lines().any(|found| found == line), "{line} in {}", metrics.body);
    }
}

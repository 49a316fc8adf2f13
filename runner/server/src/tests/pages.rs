use super::fixture::{Ask, Fixture};

#[tokio::test(flavor = "multi_thread")]
async fn the_overview_shows_everything_and_escapes_it() {
    let server = Fixture::open().await;
    let id = server.start_run("{}").await;
    server.post("/api/v1/sync", r#"{"wait":60}"#).await;
    let page = server.get("/").await;
    assert_eq!(page.status, 200);
    for text in [
        "media",
        "Films &amp; &lt;b&gt;series&lt;/b&gt;",
        "monitoring/scan",
        "queued",
        "SB0120",
        "2101-01-01",
        &*format!("href=\"runs/{id}\""),
        "href=\"style.css\"",
        "src=\"app.js\"",
    ] {
        assert!(page.body.contains(text), "{text} in {}", page.body);
    }
    // Nothing in the page needs what its policy forbids.
    for text in ["<style", " style=", "onclick", "javascript:", "<b>series"] {
        assert!(!page.body.contains(text), "{text}");
    }
    assert!(!page.body.replace("<script type=\"module\" src=\"app.js\">", "").contains("<script"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_has_a_page_with_its_inputs_escaped() {
    let server = Fixture::open().await;
    let id = server.start_run(r#"{"any":"<script>alert(1)</script>\u202e"}"#).await;
    let page = server.get(&format!("/runs/{id}")).await;
    assert_eq!(page.status, 200);
    assert!(page.body.contains("&lt;script&gt;alert(1)"));
    assert!(page.body.contains("\\u{202e}"));
    assert!(page.body.contains("data-events=\"../api/v1/events?run="));
    assert_eq!(server.get("/runs/nothing").await.status, 404);
    let cancel = format!("/api/v1/runs/{id}/cancel");
    server.send(Ask::new("POST", &cancel)).await;
    let ended = server.get(&format!("/runs/{id}")).await;
    assert!(!ended.body.contains("data-events"), "nothing can happen to it any more");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_no_token_is_asked_for_it() {
    let server = Fixture::start(Some("s3same")).await;
    for (path, action) in [
        ("/", "action=\"login\""),
        ("/schedules", "action=\"login\""),
        ("/runs/x", "action=\"../login\""),
    ] {
        let page = server.get(path).await;
        assert_eq!(page.status, 401);
        assert!(page.body.contains(action) && !page.body.contains("media"), "{path}");
    }
    let style = server.get("/style.css").await;
    assert_eq!((style.status, style.header("content-type")), (200, Some("text/css")));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_schedules_page_says_when_each_fires_and_what_is_paused() {
    let server = Fixture::open().await;
    let page = server.get("/schedules").await;
    assert_eq!(page.status, 200);
    for text in ["media/monitoring/scan", "2101-01-01", "<td>UTC</td>", "data-events"] {
        assert!(page.body.contains(text), "{text} in {}", page.body);
    }
    assert!(!page.body.contains("paused"));
    let one = r#"{"workspace":"media","flow":"monitoring/scan"}"#;
    server.post("/api/v1/schedules/pause", one).await;
    let paused = server.get("/schedules").await.body;
    assert!(paused.contains("paused</span> since") && !paused.contains("2101-01-01"), "{paused}");
    server.post("/api/v1/schedules/resume", one).await;
    server.post("/api/v1/workspaces/media/pause", "{}").await;
    let paused = server.get("/schedules").await.body;
    assert!(paused.contains("paused</span> with its workspace since"), "{paused}");
}

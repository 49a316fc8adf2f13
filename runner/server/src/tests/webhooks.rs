use signalbox_core::WorkspaceName;

use super::fixture::{Ask, Fixture};

const OPEN: &str = "/hooks/media/open";
const KEYED: &str = "/hooks/media/keyed";

async fn start(token: Option<&str>) -> Fixture {
    let server = Fixture::start(token).await;
    let media: WorkspaceName = "media".parse().unwrap();
    server.engine.handle().set_secret(&media, "API_KEY", b"s3cret").await.unwrap();
    server
}

fn from_afar(path: &str) -> Ask {
    let ask = Ask::bare("POST", path).header("Host", "hooks.example.org").json(r#"{"n": 1}"#);
    ask.header("Origin", "https://sender.example.org")
}

fn keyed(path: &str) -> Ask {
    from_afar(path).header("X-Api-Key", "s3cret")
}

#[tokio::test(flavor = "multi_thread")]
async fn who_proves_itself_is_taken_from_anywhere_with_a_token_or_without() {
    for token in [None, Some("t0ken")] {
        let server = start(token).await;
        assert_eq!(server.send(keyed(KEYED)).await.status, 202, "{token:?}");
        let refused = server.send(from_afar(KEYED)).await;
        assert_eq!(refused.problem(), (401, "SB0612".to_owned()), "{token:?}");
        assert_eq!(refused.header("www-authenticate"), Some("Webhook"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_that_asks_for_nothing_is_for_this_machine_unless_there_is_a_token() {
    let server = start(None).await;
    assert_eq!(server.send(from_afar(OPEN)).await.problem(), (403, "SB0605".to_owned()));
    let here = Ask::new("POST", OPEN).json("{}");
    assert_eq!(server.send(here.clone()).await.status, 202);
    let page = here.header("Origin", "https://evil.example");
    assert_eq!(server.send(page).await.problem(), (403, "SB0605".to_owned()));
    let server = start(Some("t0ken")).await;
    assert_eq!(server.send(from_afar(OPEN)).await.status, 202);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_gives_one_answer() {
    let server = start(Some("t0ken")).await;
    let unknown = server.send(keyed("/hooks/media/nothing")).await;
    assert_eq!(unknown.problem(), (404, "SB0603".to_owned()));
    for path in ["/hooks/nowhere/keyed", "/hooks/media/KEYED", "/hooks/%2e%2e/keyed"] {
        let other = server.send(keyed(path)).await;
        assert_eq!((other.status, &other.body), (404, &unknown.body), "{path}");
    }
    for path in ["/hooks/media", "/hooks/media/keyed/more", "/hooks//", "/hooks/../api/v1/runs"] {
        let status = server.send(keyed(path)).await.status;
        assert!(matches!(status, 401 | 404), "{path} {status}");
    }
    assert_eq!(server.send(Ask::new("GET", KEYED)).await.problem(), (405, "SB0611".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_over_the_bound_is_refused_as_soon_as_it_is_known() {
    let server = start(None).await;
    let announced = Ask::bare("POST", KEYED)
        .header("Content-Type", "application/json")
        .header("X-Api-Key", "s3cret")
        .header("Content-Length", "1048577");
    assert_eq!(server.send(announced).await.problem(), (413, "SB0606".to_owned()));
    // The chunk goes on beyond the bound and never ends.
    let mut endless = format!("{:x}\r\n", 2 << 20).into_bytes();
    endless.resize(endless.len() + (1 << 20) + 1, b' ');
    let chunked = Ask::bare("POST", KEYED)
        .header("Content-Type", "application/json")
        .header("X-Api-Key", "s3cret")
        .header("Transfer-Encoding", "chunked")
        .raw(&endless);
    assert_eq!(server.send(chunked).await.problem(), (413, "SB0606".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_asked_for_before_the_body_is_read() {
    let server = start(None).await;
    let ask = Ask::bare("POST", KEYED)
        .header("Content-Type", "application/json")
        .header("Content-Length", "1000");
    // Not a byte of the body is sent.
    assert_eq!(server.send(ask).await.problem(), (401, "SB0612".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_whose_secret_is_not_set_names_it_to_nobody_outside() {
    let server = Fixture::open().await;
    let answer = server.send(keyed(KEYED)).await;
    assert_eq!(answer.problem(), (503, "SB0613".to_owned()));
    assert!(!answer.body.contains("API_KEY"), "{answer:?}");
    assert!(answer.header("retry-after").is_some());
    let listed = server.get("/api/v1/webhooks").await.json();
    assert_eq!(listed["items"][0]["missing_secrets"][0], "API_KEY");
    assert_eq!(
        (&listed["items"][0]["ready"], &listed["items"][1]["ready"]),
        (&false.into(), &true.into())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rate_counts_only_who_proved_itself() {
    let server = start(None).await;
    for _ in 0..5 {
        let forged = from_afar("/hooks/media/seldom").header("X-Api-Key", "other");
        assert_eq!(server.send(forged).await.status, 401);
    }
    assert_eq!(server.send(keyed("/hooks/media/seldom")).await.status, 202);
    let more = server.send(keyed("/hooks/media/seldom")).await;
    assert_eq!(more.problem(), (429, "SB0615".to_owned()));
}

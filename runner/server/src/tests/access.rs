use axum::http::Method;

use super::fixture::{Ask, Fixture, bind};
use crate::public::Public;
use crate::routes::{OPENAPI, openapi};
use crate::{Error, pages};

const TOKEN: &str = "s3same";

/// Every route of the router with each method that it takes, and one that does not exist.
fn routes() -> Vec<(String, String)> {
    let description: serde_json::Value = serde_json::from_str(&openapi()).unwrap();
    let mut routes: Vec<_> = description["paths"]
        .as_object()
        .unwrap()
        .iter()
        .flat_map(|(path, item)| {
            item.as_object()
                .unwrap()
                .keys()
                .map(move |method| (method.to_uppercase(), path.clone()))
        })
        .collect();
    assert!(routes.len() > 25, "{routes:?}");
    for path in [pages::OVERVIEW, pages::SCHEDULES, pages::RUN, pages::SCRIPT, OPENAPI, "/nowhere"]
    {
        routes.push(("GET".to_owned(), path.to_owned()));
    }
    for public in Public::ALL {
        routes.push(("GET".to_owned(), public.path().to_owned()));
    }
    routes.push(("POST".to_owned(), Public::Login.path().to_owned()));
    let routes = routes.into_iter();
    routes.map(|(method, path)| (method, path.replace(['{', '}'], ""))).collect()
}

fn is_public(path: &str) -> bool {
    // Webhooks ask their senders for a proof of their own: `tests::webhooks`.
    Public::is_delivery(path) || Public::ALL.iter().any(|public| public.path() == path)
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_token_no_route_answers_without_it() {
    let server = Fixture::start(Some(TOKEN)).await;
    for (method, path) in routes() {
        // Streams that are let through would not end; what is refused ends by itself.
        let ask = || Ask::bare(&method, &path).header("Host", "anything.example");
        let wrong = [
            ask(),
            ask().token("wrong"),
            ask().token(""),
            ask().token(&format!("{TOKEN} ")).header("Authorization", "Bearer wrong"),
            ask().header("Authorization", TOKEN),
            ask().header("Authorization", &format!("Basic {TOKEN}")),
            ask().header("Cookie", &format!("signalbox_token={TOKEN}")),
        ];
        for (nth, ask) in wrong.into_iter().enumerate() {
            let lets_through = is_public(&path) || nth == 3;
            if lets_through && path == "/api/v1/events" {
                continue;
            }
            let answer = server.send(ask.clone()).await;
            assert_eq!(answer.status != 401, lets_through, "{method} {path} {ask:?} {answer:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kept_token_lets_read_and_never_change() {
    let server = Fixture::start(Some(TOKEN)).await;
    let form =
        Ask::new("POST", "/login").header("Content-Type", "application/x-www-form-urlencoded");
    let refused = server.send(form.clone().body(b"token=wrong")).await;
    assert_eq!(refused.status, 401);
    assert_eq!(refused.header("set-cookie"), None);
    let entered = server.send(form.body(format!("token={TOKEN}").as_bytes())).await;
    assert_eq!((entered.status, entered.header("location")), (303, Some("./")));
    let cookie = entered.header("set-cookie").unwrap();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"), "{cookie}");
    let cookie = cookie.split(';').next().unwrap();
    assert!(!cookie.contains(TOKEN));
    let with = |method: &str, path: &str| Ask::new(method, path).header("Cookie", cookie);
    assert_eq!(server.send(with("GET", "/")).await.status, 200);
    assert_eq!(server.send(with("GET", "/api/v1/runs")).await.status, 200);
    for (method, path) in routes() {
        if method != Method::GET.as_str() && !is_public(&path) {
            assert_eq!(server.send(with(&method, &path)).await.status, 401, "{method} {path}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_token_no_route_answers_another_host_or_origin() {
    let server = Fixture::open().await;
    let good = |method: &str, path: &str| Ask::new(method, path);
    let deliveries = |(_, path): &(String, String)| Public::is_delivery(path);
    for (method, path) in routes().into_iter().filter(|route| !deliveries(route)) {
        let refused = [
            Ask::bare(&method, &path).header("Host", "evil.example"),
            Ask::bare(&method, &path).header("Host", "localhost.evil.example:8742"),
            good(&method, &path).header("Host", "evil.example"),
            good(&method, &path).header("Origin", "https://evil.example"),
            good(&method, &path).header("Origin", "null"),
            good(&method, &path).header("Origin", "http://localhost").header("Origin", "http://e"),
        ];
        for ask in refused {
            let answer = server.send(ask.clone()).await;
            assert_eq!(answer.problem(), (403, "SB0605".to_owned()), "{ask:?}");
        }
    }
    let origin = good("GET", "/api/v1/runs").header("Origin", "http://127.0.0.1:8742");
    assert_eq!(server.send(origin).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_is_safe_to_show() {
    let server = Fixture::start(Some(TOKEN)).await;
    for path in ["/", "/nowhere", "/healthz", "/style.css", "/api/v1/runs", "/runs/x"] {
        for ask in [Ask::new("GET", path), Ask::new("GET", path).token(TOKEN)] {
            let answer = server.send(ask).await;
            let policy = answer.header("content-security-policy").unwrap();
            assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"));
            assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{path}");
            assert_eq!(answer.header("access-control-allow-origin"), None, "{path}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn beyond_this_machine_a_token_is_needed() {
    let server = Fixture::open().await;
    for everywhere in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"] {
        let refused = bind(everywhere, None, &server.engine);
        assert!(matches!(refused, Err(Error::TokenNeeded(_))), "{everywhere}");
    }
    let taken = bind(&server.address.to_string(), None, &server.engine);
    assert!(matches!(taken, Err(Error::Listen { .. })));
    bind("0.0.0.0:0", Some(TOKEN), &server.engine).unwrap();
}

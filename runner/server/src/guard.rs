//! Who may ask. One gate in front of every route and of what is no route: a handler cannot be
//! reached around it, and a route is public only by being one of [`Public`].
//!
//! Without a token the server is for this machine alone. It then answers only requests whose Host
//! is a loopback name or address (a web page that had its name rebound to 127.0.0.1 sends its own
//! name) and whose Origin, when there is one, is loopback too. With a token, whoever has it may
//! ask from anywhere. Pages get it in a cookie, which counts for reading only, so that no
//! other page can make a browser change anything.
//!
//! Deliveries to webhooks are let through to their handler: their senders have no token and come
//! from anywhere, through proxies that keep their own Host; each proves what its webhook asks for.

use axum::extract::{Request, State};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use signalbox_core::codes::Code;

use crate::app::App;
use crate::pages;
use crate::problem::Problem;
use crate::public::Public;
use crate::token::TokenDigest;

/// Lets a request through or answers it, and makes every answer safe to show in a browser.
pub(crate) async fn guard(State(app): State<App>, request: Request, next: Next) -> Response {
    let mut response = match check(app.token, &request) {
        Ok(()) => next.run(request).await,
        Err(problem) if problem.code == Code::Unauthorized && pages::is_page(&request) => {
            pages::login::form(request.uri().path(), false)
        }
        Err(problem) => problem.into_response(),
    };
    secure(response.headers_mut());
    response
}

fn check(token: Option<TokenDigest>, request: &Request) -> Result<(), Problem> {
    let headers = request.headers();
    if Public::is_delivery(request.uri().path()) {
        return Ok(());
    }
    match token {
        None => from_this_machine(headers),
        Some(_) if Public::has(request.uri().path()) => Ok(()),
        Some(token) if has_token(token, request.method(), headers) => Ok(()),
        Some(_) => {
            Err(Problem::new(Code::Unauthorized, "send the token as `Authorization: Bearer TOKEN`"))
        }
    }
}

/// Refuses what comes from another machine, or from a page of another origin.
pub(crate) fn from_this_machine(headers: &HeaderMap) -> Result<(), Problem> {
    let refused = |what: &str| Err(Problem::new(Code::ForbiddenOrigin, what));
    let mut hosts = headers.get_all(header::HOST).iter();
    match (hosts.next(), hosts.next()) {
        (Some(host), None) if is_loopback(host.as_bytes()) => {}
        _ => return refused("without a token, only requests to a loopback Host are answered"),
    }
    let local = |origin: &HeaderValue| {
        let origin = origin.as_bytes();
        let authority = origin.strip_prefix(b"http://").or(origin.strip_prefix(b"https://"));
        authority.is_some_and(is_loopback)
    };
    if headers.get_all(header::ORIGIN).iter().all(local) {
        Ok(())
    } else {
        refused("without a token, no page of another Origin is answered")
    }
}

/// Whether `host` or `host:port` is this machine, by name or by literal address.
fn is_loopback(authority: &[u8]) -> bool {
    let Ok(authority) = Authority::try_from(authority) else { return false };
    if authority.as_str().contains('@') {
        return false;
    }
    matches!(authority.host(), "127.0.0.1" | "[::1]")
        || authority.host().eq_ignore_ascii_case("localhost")
}

fn has_token(token: TokenDigest, method: &Method, headers: &HeaderMap) -> bool {
    let bearer = headers.get(header::AUTHORIZATION).and_then(|value| {
        let (scheme, given) = value.to_str().ok()?.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(given.trim())
    });
    match bearer {
        Some(given) => TokenDigest::of(given) == token,
        None => {
            matches!(*method, Method::GET | Method::HEAD)
                && pages::login::cookie(headers)
                    .is_some_and(|given| TokenDigest::of(&given) == token)
        }
    }
}

/// Nothing but our own files, nowhere but here; nothing is guessed, kept or told to others.
fn secure(headers: &mut HeaderMap) {
    const ALWAYS: [(HeaderName, HeaderValue); 3] = [
        (
            header::CONTENT_SECURITY_POLICY,
            HeaderValue::from_static(
                "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                 img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
            ),
        ),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    ];
    headers.extend(ALWAYS);
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_names_and_addresses_are_this_machine() {
        for good in ["localhost", "LOCALHOST:1", "127.0.0.1:8742", "[::1]", "[::1]:80"] {
            assert!(is_loopback(good.as_bytes()), "{good}");
        }
        for bad in [
            "",
            "evil.example",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "127.0.0.2",
            "0.0.0.0",
            "::1",
            "user@localhost",
            "localhost:80@evil.example",
            "localhost/",
            "[::]",
            "null",
            "localhost:x:y",
            "\u{e9}",
        ] {
            assert!(!is_loopback(bad.as_bytes()), "{bad}");
        }
    }
}

//! `http::*`, and what connectors build on.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::StreamExt as _;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue, LOCATION};
use reqwest::{Method, Response, Url};
use signalbox_cell::protocol::HttpRequest;
use signalbox_core::Value;
use signalbox_core::codes::Code;
use signalbox_core::journal::Failure;
use signalbox_core::secret::has_marker;

use super::mask;
use super::perform::{Context, MAX_ANSWER};
use super::secret::{Held, Used};

/// When a request says nothing else.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Longest time that a request may ask for.
const LONGEST: Duration = Duration::from_mins(5);
/// Most redirects that are followed.
const REDIRECTS: usize = 5;
/// Headers that say where a request goes and how it is framed: a `host` of its own would reach
/// whatever stands behind a granted proxy.
const NOT_GIVEN: [&str; 9] = [
    "host",
    "connection",
    "content-length",
    "transfer-encoding",
    "te",
    "trailer",
    "upgrade",
    "expect",
    "proxy-authorization",
];
/// Bodies from this size on are masked on a thread that may take its time.
const LARGE: usize = 64 << 10;
/// Largest value of a header, in bytes.
const MAX_HEADER: usize = 64 << 10;
/// Most headers of a request.
const MAX_HEADERS: usize = 100;

/// `http::*`: the URL and body as they are, secrets in header values only.
pub(super) async fn perform(context: &Context, request: HttpRequest) -> Result<Value, Failure> {
    let body = String::from_utf8_lossy(&request.body);
    if has_marker(&request.url) || has_marker(&body) {
        let message = "a secret goes into a header value, not into a URL or a body";
        return Err(Failure::permanent(Code::SecretMisused, message));
    }
    let mut secrets = Held::of(context);
    let mut headers = Vec::new();
    for (name, value) in &request.headers {
        if value.len() > MAX_HEADER {
            let message = format!("header `{name}` is over the bound of 64 KiB");
            return Err(Failure::permanent(Code::LimitExceeded, message));
        }
        headers.push((name.clone(), secrets.fill_markers(value).await?));
    }
    send(context, HttpRequest { headers, ..request }, secrets).await
}

/// Sends a request whose secrets are in, and masks them and the workspace's others in the answer: a
/// server may know them from before.
pub(super) async fn send(
    context: &Context,
    request: HttpRequest,
    secrets: Held<'_>,
) -> Result<Value, Failure> {
    let used = &secrets.into_used().await?;
    let wanted = request.timeout_ms.map_or(TIMEOUT, Duration::from_millis).min(LONGEST);
    match tokio::time::timeout(wanted, exchange(context, request, used)).await {
        Ok(answer) => answer,
        Err(_) => Err(Failure::transient(
            Code::EffectFailed,
            format!("no answer within {} ms", wanted.as_millis()),
        )),
    }
}

async fn exchange(context: &Context, request: HttpRequest, used: &Used) -> Result<Value, Failure> {
    let bad = |message: String| Failure::permanent(Code::EffectFailed, message);
    let method: Method =
        request.method.parse().map_err(|_| bad(format!("`{}` is no method", request.method)))?;
    let mut url: Url = request
        .url
        .parse()
        .map_err(|error| bad(mask::text(format!("`{}` is no URL: {error}", request.url), used)))?;
    let mut headers = headers(context, &request, &method)?;
    let mut body = request.body;
    let safe = method == Method::GET || method == Method::HEAD;
    for _ in 0..=REDIRECTS {
        // What is refused may be named by a secret.
        let client = context
            .client(&url)
            .map_err(|failure| Failure { message: mask::text(failure.message, used), ..failure })?;
        let response = client
            .request(method.clone(), url.clone())
            .headers(headers.clone())
            .body(body.clone())
            .send()
            .await
            .map_err(|error| failed(&error, used))?;
        match redirect(&url, &response).filter(|_| safe) {
            Some(next) => {
                if next.origin() != url.origin() {
                    // What was meant for one place does not go to another.
                    headers = HeaderMap::new();
                    body = Vec::new();
                }
                url = next;
            }
            None => return answer(response, used).await,
        }
    }
    Err(bad(format!("more than {REDIRECTS} redirects")))
}

fn headers(
    context: &Context,
    request: &HttpRequest,
    method: &Method,
) -> Result<HeaderMap, Failure> {
    let bad = |message: String| Failure::permanent(Code::EffectFailed, message);
    if request.headers.len() > MAX_HEADERS {
        return Err(bad(format!("more than {MAX_HEADERS} headers")));
    }
    let mut headers = HeaderMap::new();
    for (name, value) in &request.headers {
        let header: HeaderName =
            name.parse().map_err(|_| bad(format!("`{name}` is no name of a header")))?;
        if NOT_GIVEN.contains(&header.as_str()) {
            return Err(bad(format!("header `{name}` is the runner's own")));
        }
        let mut value = HeaderValue::from_str(value).map_err(|_| {
            bad(format!("the value of header `{name}` has characters it cannot have"))
        })?;
        value.set_sensitive(true);
        headers.append(header, value);
    }
    let name = HeaderName::from_static("idempotency-key");
    if !method.is_safe() && !headers.contains_key(&name) {
        let key = HeaderValue::from_str(&context.idempotency_key());
        headers.extend(key.ok().map(|key| (name, key)));
    }
    Ok(headers)
}

fn redirect(url: &Url, response: &Response) -> Option<Url> {
    let moved = matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308);
    let location = response.headers().get(LOCATION).filter(|_| moved)?;
    url.join(location.to_str().ok()?).ok()
}

/// Why a request failed, with the sources of the error but without its URL.
fn failed(error: &reqwest::Error, used: &Used) -> Failure {
    let mut message = match error {
        error if error.is_timeout() => "no answer in time".to_owned(),
        error if error.is_connect() => "cannot connect".to_owned(),
        _ => "the request failed".to_owned(),
    };
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        message = format!("{message}: {cause}");
        source = cause.source();
    }
    Failure::transient(Code::EffectFailed, mask::text(message, used))
}

async fn answer(response: Response, used: &Used) -> Result<Value, Failure> {
    let status = i64::from(response.status().as_u16());
    let mut headers = BTreeMap::new();
    for (name, value) in response.headers() {
        let text = String::from_utf8_lossy(value.as_bytes()).into_owned();
        headers.insert(name.as_str().to_owned(), Value::String(mask::text(text, used)));
    }
    let mut body = Vec::new();
    let mut stream = response.bytes_stream();
    while let Some(part) = stream.next().await {
        let part = part.map_err(|error| failed(&error, used))?;
        if body.len() + part.len() > MAX_ANSWER {
            let message = "the answer has more than 4 MiB";
            return Err(Failure::permanent(Code::LimitExceeded, message));
        }
        body.extend_from_slice(&part);
    }
    Ok(Value::map([
        ("status", Value::Int(status)),
        ("headers", Value::Map(headers)),
        ("body", Value::Bytes(masked(body, used).await?)),
    ]))
}

/// Masks a body, beside the loop when it is large.
async fn masked(body: Vec<u8>, used: &Used) -> Result<Vec<u8>, Failure> {
    if used.is_empty() || body.len() < LARGE {
        return Ok(mask::bytes(body, used));
    }
    let used = used.clone();
    let masked = tokio::task::spawn_blocking(move || mask::bytes(body, &used)).await;
    masked.map_err(|_| Failure::transient(Code::EffectFailed, "the runner is stopping"))
}

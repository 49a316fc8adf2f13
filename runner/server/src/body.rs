//! Bodies of requests, read strictly: JSON, of bounded size and depth, without unknown fields.

use std::time::Duration;

use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, header};
use futures_util::StreamExt as _;
use serde::de::DeserializeOwned;
use signalbox_core::codes::Code;

use crate::app::App;
use crate::problem::Problem;

/// Largest body, in bytes: DESIGN §6.7.
pub(crate) const MAX_BODY: usize = signalbox_core::bounds::BODY;

/// How long a client may take to send a body.
const PATIENCE: Duration = Duration::from_secs(30);

/// A JSON body. None at all counts as `{}`.
#[derive(Debug)]
pub(crate) struct Body<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<App> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &App) -> Result<Self, Problem> {
        let is_json = is_json(request.headers())?;
        let bytes = receive(request, MAX_BODY, |_| Ok(())).await?;
        if bytes.is_empty() {
            return parse("{}").map(Self);
        }
        if !is_json {
            return Err(media_type());
        }
        let text = std::str::from_utf8(&bytes)
            .map_err(|error| Problem::bad_request(format!("the body is not UTF-8: {error}")))?;
        parse(text).map(Self)
    }
}

fn parse<T: DeserializeOwned>(text: &str) -> Result<T, Problem> {
    serde_json::from_str(text)
        .map_err(|error| Problem::bad_request(format!("the body cannot be read: {error}")))
}

/// Whether the body is said to be JSON. It may say nothing, but it may not say something else.
pub(crate) fn is_json(headers: &HeaderMap) -> Result<bool, Problem> {
    let Some(given) = headers.get(header::CONTENT_TYPE) else { return Ok(false) };
    let kind = given.to_str().ok().and_then(|given| given.split(';').next()).unwrap_or("").trim();
    if kind.eq_ignore_ascii_case("application/json") { Ok(true) } else { Err(media_type()) }
}

/// The refusal of a body that is not said to be JSON.
pub(crate) fn media_type() -> Problem {
    Problem::new(Code::MediaType, "bodies are `application/json`, and must say so")
}

/// The bytes of a body, of which `grown` is told before they are kept: refused as soon as more are
/// announced than the limit, or have come, and when the whole does not come in time.
pub(crate) async fn receive(
    request: Request,
    limit: usize,
    grown: impl FnMut(usize) -> Result<(), Problem>,
) -> Result<Vec<u8>, Problem> {
    tokio::time::timeout(PATIENCE, read(request, limit, grown))
        .await
        .map_err(|_| Problem::bad_request("the body did not arrive within 30 seconds"))?
}

async fn read(
    request: Request,
    limit: usize,
    mut grown: impl FnMut(usize) -> Result<(), Problem>,
) -> Result<Vec<u8>, Problem> {
    let announced = request
        .headers()
        .get(header::CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse::<usize>().ok())
        .unwrap_or(0);
    let too_large = || Problem::new(Code::TooLarge, format!("a body has at most {limit} bytes"));
    if announced > limit {
        return Err(too_large());
    }
    // What is only announced takes no memory beyond a usual body's.
    let mut bytes = Vec::with_capacity(announced.min(16 << 10));
    let mut chunks = request.into_body().into_data_stream();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|_| Problem::bad_request("the body broke off before its end"))?;
        if bytes.len() + chunk.len() > limit {
            return Err(too_large());
        }
        grown(bytes.len() + chunk.len())?;
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use axum::body::Body as AxumBody;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_body_that_never_ends_is_waited_for_so_long_and_no_longer() {
        let never = futures_util::stream::pending::<Result<Vec<u8>, std::io::Error>>();
        let request = Request::new(AxumBody::from_stream(never));
        let refused = receive(request, MAX_BODY, |_| Ok(())).await.unwrap_err();
        assert_eq!(refused.code, Code::BadRequest);
    }

    #[tokio::test]
    async fn what_is_told_of_a_body_that_grows_can_refuse_it() {
        let refuse = |length: usize| match length {
            0..=5 => Ok(()),
            _ => Err(Problem::new(Code::WebhookUnavailable, "too much")),
        };
        let of = |text: &'static str| receive(Request::new(text.into()), MAX_BODY, refuse);
        assert_eq!(of("12345").await.unwrap(), b"12345");
        assert_eq!(of("123456").await.unwrap_err().code, Code::WebhookUnavailable);
    }
}

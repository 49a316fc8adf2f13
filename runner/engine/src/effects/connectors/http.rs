//! `type: http`: an API with a base address and headers of its own.

use signalbox_cell::protocol::HttpRequest;
use signalbox_core::catalog::Connector;
use signalbox_core::codes::Code;
use signalbox_core::journal::Failure;
use signalbox_core::{Value, value};

use super::no_method;
use crate::border::refuse_markers;
use crate::effects::http;
use crate::effects::perform::Context;
use crate::effects::secret::Held;

/// `get(path, query?, headers?)`, `head` and `delete` likewise; `post(path, body?, headers?)`, `put`
/// and `patch` likewise. The path goes behind the base address and cannot leave it. Answers
/// `#{ status, headers, body }`.
pub(super) async fn perform(
    context: &Context,
    connector: &Connector,
    method: &str,
    arguments: &[Value],
) -> Result<Value, Failure> {
    let with_body = match method {
        "get" | "delete" | "head" => false,
        "post" | "put" | "patch" => true,
        _ => return Err(no_method("http", method, "get, head, post, put, patch and delete")),
    };
    let mut secrets = Held::of(context);
    let base = connector.settings.get("base_url").map_or("", String::as_str);
    let base = secrets.fill_setting(base).await?;
    let path = arguments.first().and_then(Value::as_str).unwrap_or_default();
    let mut url = join(&base, path)?;
    let second = arguments.get(1);
    let (query, body) = if with_body { (None, second) } else { (second, None) };
    let given = arguments.get(2).and_then(Value::as_map);
    add_query(&mut url, query)?;
    let mut headers = Vec::new();
    for (name, text) in &connector.headers {
        headers.push((name.to_lowercase(), secrets.fill_setting(text).await?));
    }
    for (name, text) in given.into_iter().flatten() {
        let filled = secrets.fill_markers(text.as_str().unwrap_or_default()).await?;
        headers.retain(|(known, _)| *known != name.to_lowercase());
        headers.push((name.to_lowercase(), filled));
    }
    let body = encode_body(body, &mut headers)?;
    let request = HttpRequest {
        method: method.to_uppercase(),
        url: url.into(),
        headers,
        body,
        timeout_ms: None,
    };
    http::send(context, request, secrets).await
}

/// The path behind the base address, which it cannot leave.
fn join(base: &str, path: &str) -> Result<reqwest::Url, Failure> {
    let bad = |message: &str| Failure::permanent(Code::EffectFailed, message);
    if signalbox_core::secret::has_marker(path) {
        let message = "a secret goes into a header value, not into a path";
        return Err(Failure::permanent(Code::SecretMisused, message));
    }
    let whole = format!("{}/{}", base.trim_end_matches('/'), path.trim_start_matches('/'));
    let base: reqwest::Url = base.parse().map_err(|_| bad("the base address is no URL"))?;
    let url: reqwest::Url = whole.parse().map_err(|_| bad("the path makes no URL"))?;
    let inside = url.path().starts_with(base.path().trim_end_matches('/'));
    if url.origin() != base.origin() || !inside {
        return Err(bad("the path leaves the base address"));
    }
    Ok(url)
}

fn add_query(url: &mut reqwest::Url, query: Option<&Value>) -> Result<(), Failure> {
    let Some(query) = query.and_then(Value::as_map) else { return Ok(()) };
    refuse_markers(&Value::Map(query.clone()), "a query")?;
    for (name, value) in query {
        let text = match value {
            Value::Null => continue,
            Value::String(text) => text.clone(),
            Value::List(items) => {
                let items: Vec<_> = items
                    .iter()
                    .map(|item| item.as_str().map_or_else(|| item.to_string(), str::to_owned))
                    .collect();
                items.join(",")
            }
            other => other.to_string(),
        };
        url.query_pairs_mut().append_pair(name, &text);
    }
    Ok(())
}

/// Text and bytes as they are, everything else as JSON.
fn encode_body(
    body: Option<&Value>,
    headers: &mut Vec<(String, String)>,
) -> Result<Vec<u8>, Failure> {
    let Some(body) = body else { return Ok(Vec::new()) };
    refuse_markers(body, "a body")?;
    let (kind, bytes) = match body {
        Value::Null => return Ok(Vec::new()),
        Value::Bytes(bytes) => ("application/octet-stream", bytes.clone()),
        Value::String(text) => ("text/plain; charset=utf-8", text.clone().into_bytes()),
        other => ("application/json", value::to_json(other).to_string().into_bytes()),
    };
    if !headers.iter().any(|(name, _)| name == "content-type") {
        headers.push(("content-type".to_owned(), kind.to_owned()));
    }
    Ok(bytes)
}

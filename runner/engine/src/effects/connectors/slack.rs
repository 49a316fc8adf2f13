//! `type: slack`: an incoming webhook.

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

/// `send(text)` or `send(#{ text, channel, ... })`: the payload of an incoming webhook. Fails
/// unless Slack takes it; answers `#{ status }`.
pub(super) async fn perform(
    context: &Context,
    connector: &Connector,
    method: &str,
    arguments: &[Value],
) -> Result<Value, Failure> {
    if method != "send" {
        return Err(no_method("slack", method, "send"));
    }
    let mut payload = match arguments {
        [Value::String(text)] => [("text".to_owned(), Value::from(text.as_str()))].into(),
        [Value::Map(payload)] => payload.clone(),
        _ => {
            let message = "send takes a text or a map with at least `text`";
            return Err(Failure::permanent(Code::EffectFailed, message));
        }
    };
    let mut secrets = Held::of(context);
    let setting = |name: &str| connector.settings.get(name).map_or("", String::as_str);
    let channel = secrets.fill_setting(setting("channel")).await?;
    if !channel.is_empty() {
        payload.entry("channel".to_owned()).or_insert(Value::String(channel));
    }
    let payload = Value::Map(payload);
    refuse_markers(&payload, "a message")?;
    let request = HttpRequest {
        method: "POST".to_owned(),
        url: secrets.fill_setting(setting("webhook_url")).await?,
        headers: vec![("content-type".to_owned(), "application/json".to_owned())],
        body: value::to_json(&payload).to_string().into_bytes(),
        timeout_ms: None,
    };
    let answer = http::send(context, request, secrets).await?;
    match answer.get("status").and_then(Value::as_int) {
        Some(status @ 200..=299) => Ok(Value::map([("status", Value::Int(status))])),
        Some(status) => {
            let message = format!("Slack answered with status {status}");
            let temporary = status == 429 || status >= 500;
            let code = Code::EffectFailed;
            Err(if temporary {
                Failure::transient(code, message)
            } else {
                Failure::permanent(code, message)
            })
        }
        None => Err(signalbox_cell::protocol::malformed_value()),
    }
}

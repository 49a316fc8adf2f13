//! A webhook.

use serde::Serialize;
use signalbox_core::webhook::Mode;
use signalbox_engine::WebhookView;
use utoipa::ToSchema;

/// A webhook of a live workspace.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Webhook)]
pub(crate) struct WebhookJson {
    workspace: String,
    name: String,
    /// Where senders deliver, behind the server's own address.
    path: String,
    flow: String,
    /// `hmac_sha256`, `api_key`, `basic` or `none`.
    auth: &'static str,
    /// The header that proves the sender.
    header: Option<String>,
    /// `async` or `sync`.
    mode: &'static str,
    /// How long a sender waits, when it does.
    timeout_ms: Option<f64>,
    /// The header that makes repeated deliveries one run, when one is named.
    idempotency: Option<String>,
    /// Most bytes of a body.
    max_body: usize,
    /// Whether deliveries can be taken: at least one of its secrets is set, or it has none.
    ready: bool,
    /// Its secrets that are not set.
    missing_secrets: Vec<String>,
}

impl From<&WebhookView> for WebhookJson {
    fn from(view: &WebhookView) -> Self {
        let WebhookView { workspace, name, webhook, missing } = view;
        let (mode, timeout) = match webhook.mode {
            Mode::Async => ("async", None),
            Mode::Sync { timeout } => ("sync", Some(timeout)),
        };
        let secrets = webhook.auth.secrets();
        Self {
            workspace: workspace.to_string(),
            name: name.clone(),
            path: format!("/hooks/{workspace}/{name}"),
            flow: webhook.flow.to_string(),
            auth: webhook.auth.kind(),
            header: webhook.auth.header().map(str::to_owned),
            mode,
            timeout_ms: timeout.map(|timeout| timeout.as_secs_f64() * 1000.0),
            idempotency: webhook.idempotency.clone(),
            max_body: webhook.max_body(),
            ready: secrets.is_empty() || missing.len() < secrets.len(),
            missing_secrets: missing.clone(),
        }
    }
}

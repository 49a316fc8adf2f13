//! Takes a request to whatever performs it.

use std::sync::Arc;

use reqwest::{Client, Url};
use signalbox_cell::protocol::Request;
use signalbox_core::bounds;
use signalbox_core::catalog::Grants;
use signalbox_core::codes::Code;
use signalbox_core::journal::{Failure, Key, Outcome};
use signalbox_core::{Digest, RunId, Value, WorkspaceName, secret as marker, value};

use super::{connectors, hmac, http, metrics, secret};
use crate::border::check_state_name;
use crate::revisions::Pinned;
use crate::shared::Shared;

/// Most names that one `state::list` answers.
const MAX_LISTED: usize = 10_000;
/// Largest answer of one effect: DESIGN §6.7.
pub(crate) const MAX_ANSWER: usize = bounds::ANSWER;

/// For whom an effect is performed.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) shared: Arc<Shared>,
    pub(crate) pinned: Arc<Pinned>,
    pub(crate) run: RunId,
    pub(crate) key: Key,
}

impl Context {
    /// The workspace of the run.
    pub(crate) fn workspace(&self) -> &WorkspaceName {
        &self.pinned.spec.name
    }

    /// What the workspace is granted now; nothing once it is no longer live.
    pub(super) fn grants(&self) -> Grants {
        self.shared.live.load().grants(self.workspace())
    }

    /// The workspace's client, for a URL that it may reach now.
    pub(super) fn client(&self, url: &Url) -> Result<Client, Failure> {
        self.shared.egress.client(url, self.workspace(), &self.grants())
    }

    /// The same for every try of the same effect of the same run, whatever the attempt of the run
    /// or of a step.
    pub(super) fn idempotency_key(&self) -> String {
        let place = self.key.place();
        let parts =
            [self.run.as_str().as_bytes(), place.as_bytes(), &self.key.ordinal.to_le_bytes()];
        Digest::of_parts(parts).to_string()[..32].to_owned()
    }
}

/// Performs an effect that is not the store's own.
pub(crate) async fn perform(context: &Context, request: Request) -> Outcome {
    let done = match request {
        Request::StateGet { name } => state_get(context, &name).await,
        Request::StateList { prefix } => state_list(context, &prefix).await,
        Request::Secret { name } => secret::check(context, &name).await,
        Request::Hmac { key, message, algorithm } => {
            hmac::perform(context, &key, &message, algorithm).await
        }
        Request::WorkspaceMetrics { workspace } => {
            metrics::of_workspace(context, workspace.as_deref()).await
        }
        Request::FlowMetrics { flow } => metrics::of_flow(context, &flow).await,
        Request::Http(request) => http::perform(context, request).await,
        Request::Connector { name, method, arguments } => {
            connectors::perform(context, &name, &method, &arguments).await
        }
        Request::Call { .. }
        | Request::Flow { .. }
        | Request::FlowWait { .. }
        | Request::Sleep { .. }
        | Request::SleepUntil { .. }
        | Request::StateSet { .. }
        | Request::StateAdd { .. }
        | Request::StateSwap { .. }
        | Request::StateDelete { .. } => {
            Err(Failure::permanent(Code::Internal, "an effect came to the wrong place"))
        }
    };
    match done {
        Ok(value) => bounded(&value),
        Err(failure) => Outcome::Failed(failure),
    }
}

fn bounded(answer: &Value) -> Outcome {
    let bytes = value::encode(answer);
    if bytes.len() <= MAX_ANSWER {
        return Outcome::Done(bytes);
    }
    let message = format!("the answer has {} bytes; at most 4 MiB are taken", bytes.len());
    Outcome::Failed(Failure::permanent(Code::LimitExceeded, message))
}

async fn state_get(context: &Context, name: &str) -> Result<Value, Failure> {
    check_state_name(name)?;
    let found = context.shared.store.state_get(context.workspace(), name).await;
    Ok(found.map_err(store_failed)?.unwrap_or_default())
}

async fn state_list(context: &Context, prefix: &str) -> Result<Value, Failure> {
    let store = &context.shared.store;
    let names = store.state_list(context.workspace(), prefix, MAX_LISTED).await;
    Ok(Value::List(names.map_err(store_failed)?.into_iter().map(Value::String).collect()))
}

#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
fn store_failed(error: signalbox_store::Error) -> Failure {
    Failure::transient(Code::StoreFailed, error.to_string())
}

/// The text that a script sends to a `log` connector.
pub(crate) fn log_line(arguments: &[u8]) -> Result<String, Failure> {
    let arguments = value::decode(arguments)
        .map_err(|error| Failure::permanent(Code::BadValue, error.to_string()))?;
    let Value::List(arguments) = arguments else {
        return Err(signalbox_cell::protocol::malformed_value());
    };
    let text = match arguments.first() {
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
        None => String::new(),
    };
    Ok(signalbox_core::journal::cut(marker::hide_markers(&text), 16 << 10))
}

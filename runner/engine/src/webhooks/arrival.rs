//! A request at a webhook, from its first line to its run.

use std::sync::Arc;

use reqwest::header::HeaderMap;
use signalbox_core::WorkspaceName;
use signalbox_core::codes::Code;
use signalbox_core::ids::FlowRef;
use signalbox_core::run::Trigger;
use signalbox_core::webhook::{self, Keys, Proof, Webhook};

use super::delivery::{Delivery, Given, Taken};
use crate::options::Error;
use crate::runs::{StartRequest, Started};
use crate::shared::Shared;

/// A request whose webhook is known, and nothing else.
#[derive(Debug)]
pub struct Arrival {
    shared: Arc<Shared>,
    workspace: WorkspaceName,
    name: String,
    webhook: Webhook,
}

/// A request whose body may be read.
#[derive(Debug)]
pub struct Opened {
    arrival: Arrival,
    keys: Keys,
    proof: Proof,
}

impl Arrival {
    /// The live webhook of a name, if there is one. Workspaces that are not there, that have
    /// nothing live, and that have no such webhook are all the same here.
    pub(crate) fn find(shared: &Arc<Shared>, workspace: &str, name: &str) -> Option<Self> {
        let workspace: WorkspaceName = workspace.parse().ok()?;
        let live = shared.live.load();
        let (spec, _) = live.find(&workspace)?;
        let webhook = spec.webhooks.get(name)?.clone();
        Some(Self { shared: Arc::clone(shared), workspace, name: name.to_owned(), webhook })
    }

    /// What is declared of the webhook.
    pub fn webhook(&self) -> &Webhook {
        &self.webhook
    }

    /// Decides what can be decided without the body.
    ///
    /// # Errors
    /// Refused as [`Code::SenderUnproven`], or as [`Code::WebhookUnavailable`] when none of its
    /// secrets is set.
    pub async fn open(self, headers: &HeaderMap) -> Result<Opened, Error> {
        let keys = self.keys().await?;
        let now = self.shared.clock.now();
        match webhook::before_body(&self.webhook.auth, &keys, &Given(headers), now) {
            Ok(proof) => Ok(Opened { arrival: self, keys, proof }),
            Err(reason) => Err(self.unproven(reason)),
        }
    }

    /// The values of the secrets that are set.
    async fn keys(&self) -> Result<Keys, Error> {
        let names = self.webhook.auth.secrets();
        let mut keys = Keys::new();
        let mut missing = None;
        for name in names {
            match self.shared.secrets.get(&self.workspace, name).await {
                Ok(value) => keys.push(value),
                Err(failure) => missing = Some(failure.message),
            }
        }
        match missing {
            Some(reason) if keys.is_empty() => {
                let Self { workspace, name, .. } = self;
                tracing::warn!(%workspace, webhook = name, reason, "cannot answer a webhook");
                let message = "the webhook is not ready; the runner's log says why";
                Err(Error::refused(Code::WebhookUnavailable, message))
            }
            Some(_) | None => Ok(keys),
        }
    }

    /// What a sender is told who is not believed; the reason goes to the log.
    fn unproven(&self, reason: &str) -> Error {
        let Self { workspace, name, .. } = self;
        tracing::info!(%workspace, webhook = name, reason, "refused a delivery");
        let message = "the request does not prove that it is from the webhook's sender";
        Error::refused(Code::SenderUnproven, message)
    }
}

impl Opened {
    /// Takes the whole request: checks the signature over the body, makes the inputs, and accepts
    /// the run. When this returns, the run is durable.
    ///
    /// # Errors
    /// Refused as [`Code::SenderUnproven`], [`Code::WebhookRate`], [`Code::BadRequest`] for a body
    /// that is no JSON, and as every start of a run can be.
    pub async fn accept(self, delivery: Delivery) -> Result<Started, Error> {
        let Self { arrival, keys, proof } = self;
        let webhook = arrival.webhook.clone();
        let signed = delivery.check(webhook, keys, proof).await?;
        let Some((delivery, digest)) = signed else {
            return Err(arrival.unproven("a signature of another body or with another key"));
        };
        let Arrival { shared, workspace, name, webhook } = arrival;
        if let Some(limit) = webhook.rate_limit
            && !shared.webhook_rates.take(&(workspace.clone(), name.clone()), limit)
        {
            let message = format!(
                "the webhook takes {} deliveries in {} s",
                limit.count,
                limit.per.as_secs()
            );
            return Err(Error::refused(Code::WebhookRate, message));
        }
        let Taken { inputs, idempotency_key } = delivery.take(&name, &webhook, digest).await?;
        let flow = FlowRef { workspace, flow: webhook.flow };
        let request = StartRequest { flow, inputs, idempotency_key };
        shared.start(request, Trigger::Webhook { webhook: name }).await
    }
}

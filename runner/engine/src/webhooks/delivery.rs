//! What a sender delivers, and what a run is made of.

use std::collections::BTreeMap;
use std::sync::Arc;

use reqwest::header::HeaderMap;
use signalbox_core::Value;
use signalbox_core::codes::Code;
use signalbox_core::webhook::{self, Auth, Headers, Keys, Proof, Request, Webhook};

use crate::options::Error;

/// Bodies from this size on are read on a thread that may take its time.
const LARGE: usize = 64 << 10;

/// What a sender delivers.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// The headers.
    pub headers: HeaderMap,
    /// The parameters behind the `?`.
    pub query: BTreeMap<String, String>,
    /// The body as it came: empty, or JSON.
    pub body: Arc<[u8]>,
}

/// What a run is made of.
#[derive(Debug)]
pub(super) struct Taken {
    pub(super) inputs: Value,
    pub(super) idempotency_key: Option<String>,
}

/// Headers as they came.
pub(super) struct Given<'h>(pub(super) &'h HeaderMap);

impl Headers for Given<'_> {
    fn all<'h>(&'h self, name: &str) -> Box<dyn Iterator<Item = Option<&'h str>> + 'h> {
        Box::new(self.0.get_all(name).iter().map(|value| value.to_str().ok()))
    }
}

impl Delivery {
    /// Whether the body is the one that the sender has signed, with the digest that proves it.
    pub(super) async fn check(
        self,
        webhook: Webhook,
        keys: Keys,
        proof: Proof,
    ) -> Result<Option<(Self, Option<[u8; 32]>)>, Error> {
        let Proof::Signed { digests, time } = proof else { return Ok(Some((self, None))) };
        let Auth::HmacSha256 { stamp, .. } = webhook.auth else { return Ok(None) };
        let large = self.body.len() >= LARGE;
        let found = beside(large, move || {
            let offered = (digests.as_slice(), time.as_deref());
            let digest = webhook::of_body(stamp.as_ref(), &keys, offered, &self.body);
            digest.map(|digest| (self, Some(digest)))
        });
        found.await
    }

    /// The inputs and the key of the run.
    pub(super) async fn take(
        self,
        name: &str,
        webhook: &Webhook,
        digest: Option<[u8; 32]>,
    ) -> Result<Taken, Error> {
        let idempotency_key = webhook::key(name, webhook, &Given(&self.headers), digest)
            .map_err(|fault| Error::refused(Code::BadRequest, fault.to_string()))?;
        let template = webhook.inputs.clone();
        let large = self.body.len() >= LARGE;
        let inputs = beside(large, move || self.inputs(template.as_ref())).await??;
        Ok(Taken { inputs, idempotency_key })
    }

    fn inputs(&self, template: Option<&Value>) -> Result<Value, Error> {
        let bad = |message: String| Error::refused(Code::BadRequest, message);
        let body = std::str::from_utf8(&self.body)
            .map_err(|error| bad(format!("the body is not UTF-8: {error}")))?;
        let headers = Given(&self.headers);
        let header = |name: &str| headers.once(name).map(str::to_owned);
        let request = Request { body, header: &header, query: &self.query };
        webhook::inputs(template, &request).map_err(|fault| bad(fault.to_string()))
    }
}

/// Does some work, beside the loop when it is large.
async fn beside<T: Send + 'static>(
    large: bool,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Error> {
    if large {
        tokio::task::spawn_blocking(work).await.map_err(|_| Error::Stopping)
    } else {
        Ok(work())
    }
}

//! What a sender delivers, and what a run is made of.

use std::collections::BTreeMap;
use std::sync::Arc;

use reqwest::header::HeaderMap;
use signalbox_core::codes::Code;
use signalbox_core::webhook::{self, Auth, Request, Webhook};
use signalbox_core::{Digest, Value};

use super::proof::{self, Keys, Proof, header};
use crate::options::Error;

/// Longest value of a header that names a delivery, in characters: that of an idempotency key.
const MAX_KEY: usize = 200;
/// Where senders name a delivery when a webhook says nothing else.
const IDEMPOTENCY: &str = "Idempotency-Key";
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
            let digest = proof::of_body(stamp.as_ref(), &keys, offered, &self.body);
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
        let idempotency_key = self.key(name, webhook, digest)?;
        let template = webhook.inputs.clone();
        let large = self.body.len() >= LARGE;
        let inputs = beside(large, move || self.inputs(template.as_ref())).await??;
        Ok(Taken { inputs, idempotency_key })
    }

    fn inputs(&self, template: Option<&Value>) -> Result<Value, Error> {
        let bad = |message: String| Error::refused(Code::BadRequest, message);
        let body = std::str::from_utf8(&self.body)
            .map_err(|error| bad(format!("the body is not UTF-8: {error}")))?;
        let header = |name: &str| header(&self.headers, name).map(str::to_owned);
        let request = Request { body, header: &header, query: &self.query };
        webhook::inputs(template, &request).map_err(|fault| bad(fault.to_string()))
    }

    /// What makes two deliveries one run: the header that the webhook names; without one, the
    /// signature when a time is signed (whoever sends the same again, sends it whole), and the
    /// usual header otherwise.
    fn key(
        &self,
        name: &str,
        webhook: &Webhook,
        digest: Option<[u8; 32]>,
    ) -> Result<Option<String>, Error> {
        let in_header = |header: &str| {
            let Some(value) = self.headers.get(header) else { return Ok(None) };
            match value.to_str() {
                Ok(key) if (1..=MAX_KEY).contains(&key.len()) => Ok(Some(key.as_bytes().to_vec())),
                _ => {
                    let message = format!("`{header}` has 1 to {MAX_KEY} plain characters");
                    Err(Error::refused(Code::BadRequest, message))
                }
            }
        };
        let stamped = matches!(webhook.auth, Auth::HmacSha256 { stamp: Some(_), .. });
        let key = match (&webhook.idempotency, digest) {
            (Some(header), _) => in_header(header)?,
            (None, Some(digest)) if stamped => Some(digest.to_vec()),
            (None, _) => in_header(IDEMPOTENCY)?,
        };
        // Keys are of a flow: those of a webhook are told apart from those of the API.
        Ok(key.map(|key| format!("webhook/{name}/{}", Digest::of(&key))))
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

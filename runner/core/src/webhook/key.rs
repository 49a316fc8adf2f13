//! What makes two deliveries one run.

use super::{Auth, Headers, Webhook};
use crate::ids::Digest;

/// Longest value of a header that names a delivery, in characters: that of an idempotency key.
const MAX_KEY: usize = 200;
/// Where senders name a delivery when a webhook says nothing else.
const IDEMPOTENCY: &str = "Idempotency-Key";

/// A header that should name a delivery and cannot.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` has 1 to {MAX_KEY} plain characters")]
pub struct BadKey(String);

/// The idempotency key of a delivery's run: the header that the webhook names; without one, the
/// signature when a time is signed (whoever sends the same again, sends it whole), and the usual
/// header otherwise. `digest` is what proved the sender, if it was a signature.
pub fn key(
    name: &str,
    webhook: &Webhook,
    headers: &dyn Headers,
    digest: Option<[u8; 32]>,
) -> Result<Option<String>, BadKey> {
    let in_header = |header: &str| match headers.all(header).next() {
        None => Ok(None),
        Some(Some(key)) if (1..=MAX_KEY).contains(&key.len()) => Ok(Some(key.as_bytes().to_vec())),
        Some(_) => Err(BadKey(header.to_owned())),
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

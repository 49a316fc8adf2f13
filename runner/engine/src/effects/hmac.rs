//! `hmac` with a secret in its key: the digest leaves the runner, the key does not.

use signalbox_cell::keyed::Algorithm;
use signalbox_core::Value;
use signalbox_core::journal::Failure;
use zeroize::Zeroizing;

use super::perform::Context;
use super::secret::Held;

/// Puts the values of secrets into the key and digests the message.
pub(super) async fn perform(
    context: &Context,
    key: &str,
    message: &[u8],
    algorithm: Algorithm,
) -> Result<Value, Failure> {
    let key = Zeroizing::new(Held::of(context).fill_markers(key).await?);
    Ok(Value::Bytes(algorithm.digest(key.as_bytes(), message)))
}

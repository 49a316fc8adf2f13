//! Names of secrets. Values are never shown.

use serde::Serialize;
use signalbox_core::clock::Timestamp;
use utoipa::ToSchema;

use super::time;

/// The name of a secret.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SecretName)]
pub(crate) struct SecretJson {
    name: String,
    /// Whether it has a value; otherwise the workspace only declares it.
    set: bool,
    set_at: Option<String>,
}

impl From<(String, Option<Timestamp>)> for SecretJson {
    fn from((name, at): (String, Option<Timestamp>)) -> Self {
        Self { name, set: at.is_some(), set_at: time(at) }
    }
}

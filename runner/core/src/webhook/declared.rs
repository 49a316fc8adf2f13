//! What a workspace declares of a webhook.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::bounds::{VALUE, WEBHOOK_BODY};
use crate::ids::FlowName;
use crate::rate::RateLimit;
use crate::value::Value;

/// How long a waiting sender waits when its webhook says nothing else: most senders give up then.
pub const WAIT: Duration = Duration::from_secs(30);
/// Longest that a sender may wait, as for any request that waits for a run.
pub const MAX_WAIT: Duration = Duration::from_mins(5);
/// How far a sender's clock may be off when a webhook says nothing else; Slack and Stripe both
/// recommend five minutes.
pub const TOLERANCE: Duration = Duration::from_mins(5);
/// Longest replay window. Idempotency keys are known for seven days; the window is well below.
pub const MAX_TOLERANCE: Duration = Duration::from_hours(24);
/// Most references in the `inputs` of one webhook: each may read the whole body once.
pub const MAX_REFERENCES: usize = 32;

/// A request from outside that starts a flow.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Webhook {
    /// The flow of the same workspace.
    pub flow: FlowName,
    /// How a sender proves who it is.
    pub auth: Auth,
    /// What the sender is answered.
    pub mode: Mode,
    /// A template for the flow's inputs; the body is the inputs when there is none.
    pub inputs: Option<Value>,
    /// Name of the header whose value makes repeated deliveries one run. Without one, the
    /// signature does it when a time is signed, and `Idempotency-Key` otherwise.
    pub idempotency: Option<String>,
    /// Most deliveries in a time that prove who they are from.
    pub rate_limit: Option<RateLimit>,
}

/// How a sender proves who it is. Keys are names of secrets: each of several is good, so that one
/// can be changed while the other is in use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Auth {
    /// A keyed digest of the body in a header.
    HmacSha256 {
        /// Names of secrets.
        keys: Vec<String>,
        /// The header with the signature.
        header: String,
        /// What is signed with the body, when a time is.
        stamp: Option<Stamp>,
    },
    /// A secret in a header.
    ApiKey {
        /// Names of secrets.
        keys: Vec<String>,
        /// The header.
        header: String,
    },
    /// HTTP basic authentication.
    Basic {
        /// The user.
        user: String,
        /// Names of secrets.
        passwords: Vec<String>,
    },
    /// Nothing: whoever reaches the runner starts the flow.
    None,
}

/// A time that is signed with the body: what was recorded cannot be sent again later.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    /// The header with the time; the item `t=` of the signature's own header when it is that one.
    pub header: String,
    /// How far the time may be from the present.
    pub tolerance: Duration,
    /// What is signed: a template of `${timestamp}` and `${body}`.
    pub payload: String,
}

/// What a sender is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Mode {
    /// The id of the run, as soon as it is durable.
    Async,
    /// The flow's result.
    Sync {
        /// How long the sender waits at most; then it gets the id of the run.
        timeout: Duration,
    },
}

impl Auth {
    /// The kind's name, as in a workspace file.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::HmacSha256 { .. } => "hmac_sha256",
            Self::ApiKey { .. } => "api_key",
            Self::Basic { .. } => "basic",
            Self::None => "none",
        }
    }

    /// Names of the secrets that prove a sender.
    pub fn secrets(&self) -> &[String] {
        match self {
            Self::HmacSha256 { keys, .. } | Self::ApiKey { keys, .. } => keys,
            Self::Basic { passwords, .. } => passwords,
            Self::None => &[],
        }
    }

    /// The header that carries the proof.
    pub fn header(&self) -> Option<&str> {
        match self {
            Self::HmacSha256 { header, .. } | Self::ApiKey { header, .. } => Some(header),
            Self::Basic { .. } => Some("Authorization"),
            Self::None => None,
        }
    }

    /// Whether anybody may send.
    pub fn is_open(&self) -> bool {
        matches!(self, Self::None)
    }
}

impl Webhook {
    /// Most bytes of a body. What has to fit into the inputs as it is, or comes from nobody knows
    /// whom, has the bound of inputs; what only a part is picked from has DESIGN §6.7's.
    pub fn max_body(&self) -> usize {
        if self.inputs.is_some() && !self.auth.is_open() { WEBHOOK_BODY } else { VALUE }
    }
}

/// A name that a webhook may have: 1 to 64 of `a-z 0-9 _ -`, starting with a letter.
pub fn is_name(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-')
}

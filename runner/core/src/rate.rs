//! How often something may happen.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// So many in a time: `60/m`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RateLimit {
    /// How many.
    pub count: u32,
    /// In how long.
    pub per: Duration,
}

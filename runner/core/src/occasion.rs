//! What handlers are started by.

use serde::{Deserialize, Serialize};

/// What a handler is started by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// A run of the flow failed for good.
    Failure,
    /// A run of the flow succeeded, and the one that ended before it had failed.
    Recovery,
    /// A run of the flow succeeded.
    Success,
    /// A domain's call of a service was refused, or the run it started failed.
    CallFailure,
}

impl Event {
    /// The events of a flow and a workspace; that of calls is the platform's alone.
    pub const OF_RUNS: [Self; 3] = [Self::Failure, Self::Recovery, Self::Success];

    /// The event's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Failure => "failure",
            Self::Recovery => "recovery",
            Self::Success => "success",
            Self::CallFailure => "call_failure",
        }
    }

    /// The field of a file that names its handler.
    pub fn field(self) -> &'static str {
        match self {
            Self::Failure => "on_failure",
            Self::Recovery => "on_recovery",
            Self::Success => "on_success",
            Self::CallFailure => "on_call_failure",
        }
    }
}

//! What handlers are started by.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::ids::{FlowName, WorkspaceName};

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

/// What alarms are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A workspace broke a threshold of its `health`.
    Health,
    /// A flow did not succeed for longer than its `absence` says.
    Absence,
}

impl Kind {
    /// `health` or `absence`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Health => "health",
            Self::Absence => "absence",
        }
    }
}

/// What an alarm is about: the health of a workspace, or the absence of a flow's success.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Subject {
    /// The workspace.
    pub workspace: WorkspaceName,
    /// The flow that is absent; `None` for the workspace's health.
    pub flow: Option<FlowName>,
}

impl Subject {
    /// The health of a workspace.
    pub fn health(workspace: WorkspaceName) -> Self {
        Self { workspace, flow: None }
    }

    /// The absence of a flow's success.
    pub fn absence(workspace: WorkspaceName, flow: FlowName) -> Self {
        Self { workspace, flow: Some(flow) }
    }

    /// Which of the two.
    pub fn kind(&self) -> Kind {
        if self.flow.is_some() { Kind::Absence } else { Kind::Health }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.flow {
            Some(flow) => write!(f, "{}/{flow}", self.workspace),
            None => write!(f, "{}", self.workspace),
        }
    }
}

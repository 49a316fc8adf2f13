//! Alarms: what is raised, and what flows are expected to do.

use std::time::Duration;

use signalbox_core::WorkspaceName;
use signalbox_core::alarm::{Raised, Subject};
use signalbox_core::clock::Timestamp;
use signalbox_core::health::Ended;
use signalbox_core::ids::{FlowName, FlowRef};

use super::Handling;

/// An alarm that begins or ends, and what that starts: once, with the change, or not at all.
#[derive(Debug, Clone, PartialEq)]
pub struct AlarmChange {
    /// What changes.
    pub turn: AlarmTurn,
    /// Who is told.
    pub started: Vec<Handling>,
    /// When.
    pub at: Timestamp,
}

/// How an alarm changes.
#[derive(Debug, Clone, PartialEq)]
pub enum AlarmTurn {
    /// It is raised, unless it is already. That of an absence only when there was no success later
    /// than what it is counted from.
    Raise(Box<Raised>),
    /// It is over, if it is raised.
    Clear(Subject),
}

/// Everything that alarms follow from.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Watch {
    /// Alarms that are raised, by workspace and flow.
    pub raised: Vec<Raised>,
    /// Live flows with `absence`, in no order.
    pub expected: Vec<Expected>,
}

/// A flow that is expected to succeed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected {
    /// The flow.
    pub flow: FlowRef,
    /// Its last success; when it went live with this `absence` if that is later.
    pub since: Timestamp,
    /// How long it may be from then to the next success.
    pub after: Duration,
}

/// Which ended runs are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndedFilter {
    /// Of this workspace.
    pub workspace: WorkspaceName,
    /// Of this flow only.
    pub flow: Option<FlowName>,
    /// Those that ended later than this.
    pub since: Timestamp,
}

/// How runs ended lately. Those that handle something are left out, and those that another one
/// continues.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lately {
    /// Runs that succeeded or failed, in no order.
    pub ended: Vec<Ended>,
    /// The latest success, however long ago.
    pub last_success: Option<Timestamp>,
    /// The latest failure, however long ago.
    pub last_failure: Option<Timestamp>,
}

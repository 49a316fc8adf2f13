//! Deadlines of runs.

use signalbox_core::FlowName;
use signalbox_core::catalog::Workspace;
use signalbox_core::clock::Timestamp;
use signalbox_core::codes::Code;
use signalbox_core::run::RunError;

/// When a run that is accepted now must have ended.
pub(crate) fn deadline_of(spec: &Workspace, flow: &FlowName, now: Timestamp) -> Option<Timestamp> {
    spec.flows.get(flow)?.deadline.map(|deadline| now.plus(deadline))
}

/// How a run fails whose deadline has passed.
pub(crate) fn overdue() -> RunError {
    RunError::plain(Code::RunTimedOut, "its deadline has passed")
}

//! A decision of the broker.

use serde::Serialize;
use signalbox_core::run::State;
use signalbox_store::contract::CallView;
use utoipa::ToSchema;

/// A call from one workspace into another, allowed or refused.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Call)]
pub(crate) struct CallJson {
    /// Its number, as text.
    id: String,
    at: String,
    /// `allowed` or `refused`.
    decision: &'static str,
    /// The rule that decided.
    rule: &'static str,
    caller: CallingRun,
    target: Target,
    /// The run that it started.
    run: Option<String>,
    /// That run's state.
    state: Option<&'static str>,
    /// From the decision to the end of that run.
    latency_ms: Option<f64>,
}

/// Who called.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CallingRun {
    workspace: String,
    flow: String,
    /// `null`: an alarm called.
    run: Option<String>,
}

/// What was called.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CallTarget)]
pub(crate) struct Target {
    /// As the caller named it.
    name: String,
    /// The workspace, when it was found.
    workspace: Option<String>,
    /// The flow, when it was found.
    flow: Option<String>,
    /// The service, when one was named and found.
    service: Option<String>,
    version: Option<u32>,
}

impl From<&CallView> for CallJson {
    fn from(call: &CallView) -> Self {
        let record = &call.record;
        let callee = record.callee.as_ref();
        let service = record.service.as_ref();
        Self {
            id: call.id.to_string(),
            at: record.at.to_string(),
            decision: record.decision.as_str(),
            rule: record.rule.as_str(),
            caller: CallingRun {
                workspace: record.caller.workspace.to_string(),
                flow: record.caller.flow.to_string(),
                run: record.caller_run.as_ref().map(ToString::to_string),
            },
            target: Target {
                name: record.target.clone(),
                workspace: callee.map(|(workspace, _)| workspace.to_string()),
                flow: callee.map(|(_, flow)| flow.to_string()),
                service: service.map(|(name, _)| name.clone()),
                version: service.map(|(_, version)| *version),
            },
            run: call.run.as_ref().map(ToString::to_string),
            state: call.state.map(State::as_str),
            latency_ms: call.latency_ms,
        }
    }
}

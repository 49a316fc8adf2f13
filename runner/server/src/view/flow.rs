//! A live flow.

use std::time::Duration;

use serde::Serialize;
use signalbox_core::FlowName;
use signalbox_core::catalog::{Action, Flow, LiteralCall, Step, Workspace};
use signalbox_core::schedule::Schedule;
use utoipa::ToSchema;

use super::schedule::expression;

/// A live flow.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Flow)]
pub(crate) struct FlowJson {
    workspace: String,
    name: String,
    /// Its file, from the workspace's folder.
    file: String,
    summary: Option<String>,
    /// What it takes, as JSON Schema (draft-07).
    #[schema(value_type = Object)]
    inputs: serde_json::Value,
    schedules: Vec<FlowSchedule>,
    /// Calls of other workspaces that can be seen in its steps and scripts.
    calls: Vec<FlowCall>,
    steps: Vec<FlowStep>,
    /// Longest active time of a run; null: the workspace's limit.
    timeout_ms: Option<u64>,
    /// Services that it is exported as, `name@version`.
    exported_as: Vec<String>,
    /// Whether the platform may start it.
    accepted: bool,
}

/// A schedule of a flow.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FlowSchedule {
    /// Its name, if it has one.
    id: String,
    /// The expression; null when it fires once.
    cron: Option<String>,
    /// The only moment at which it fires.
    at: Option<String>,
    timezone: String,
    /// Its slots in words.
    description: Option<String>,
}

/// A call in a flow.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FlowCall {
    /// `service`, `service@version` or `workspace/flow`.
    target: String,
    /// From the repository's root.
    file: String,
    line: u32,
    column: u32,
}

/// A step of a flow.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FlowStep {
    id: String,
    /// `run`, `script`, `call`, `flow`, `sleep`, `steps` or `switch`.
    kind: &'static str,
    /// The condition, if there is one.
    when: Option<String>,
    /// The script's path, what is called, or the flow that is run.
    target: Option<String>,
    /// Line of the flow's file, from 1.
    line: u32,
}

impl FlowJson {
    /// A flow of a workspace.
    pub(crate) fn of(workspace: &Workspace, name: &FlowName, flow: &Flow) -> Self {
        let exports = workspace.exports.iter().filter(|(_, export)| export.flow == *name);
        Self {
            workspace: workspace.name.to_string(),
            name: name.to_string(),
            file: flow.file.clone(),
            summary: flow.summary.clone(),
            inputs: flow.inputs.to_json_schema(),
            schedules: flow.schedules.iter().map(Into::into).collect(),
            calls: flow.calls.iter().map(Into::into).collect(),
            steps: flow.plan.steps.iter().map(Into::into).collect(),
            timeout_ms: flow.timeout.map(whole_millis),
            exported_as: exports
                .map(|(service, export)| format!("{service}@{}", export.version))
                .collect(),
            accepted: workspace.accepts.contains(name),
        }
    }
}

fn whole_millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl From<&Schedule> for FlowSchedule {
    fn from(schedule: &Schedule) -> Self {
        let (cron, at) = expression(schedule);
        Self {
            id: schedule.id(),
            cron,
            at,
            timezone: schedule.timezone.clone(),
            description: schedule.timetable(None).ok().map(|table| table.describe()),
        }
    }
}

impl From<&LiteralCall> for FlowCall {
    fn from(call: &LiteralCall) -> Self {
        Self {
            target: call.target.clone(),
            file: call.file.clone(),
            line: call.line,
            column: call.column,
        }
    }
}

impl From<&Step> for FlowStep {
    fn from(step: &Step) -> Self {
        let (kind, target) = match &step.action {
            Action::Run { .. } => ("run", None),
            Action::Script { path, .. } => ("script", Some(path.clone())),
            Action::Call { target, .. } => ("call", Some(target.clone())),
            Action::Flow { flow, .. } => ("flow", Some(flow.clone())),
            Action::Sleep { .. } => ("sleep", None),
            Action::Steps { .. } => ("steps", None),
            Action::Switch { .. } => ("switch", None),
        };
        Self { id: step.id.clone(), kind, when: step.when.clone(), target, line: step.line }
    }
}

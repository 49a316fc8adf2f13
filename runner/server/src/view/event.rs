//! Something that happened.

use serde::Serialize;
use signalbox_core::run::State;
use signalbox_engine::{Event, EventKind};
use utoipa::ToSchema;

/// Something that happened, as the data of a server-sent event named after its topic.
#[derive(Debug, Default, Serialize, ToSchema)]
#[schema(as = Event)]
pub(crate) struct EventJson {
    /// Grows; clients send the last one back as `Last-Event-ID`.
    id: u64,
    at: String,
    workspace: String,
    /// `run`, `log`, `call`, `alarm`, `deployment` or `schedule`.
    topic: &'static str,
    /// The run that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    run: Option<String>,
    /// Topic `run`: its flow. Topic `alarm`: the flow that is absent, none for the workspace itself.
    /// Topic `schedule`: the flow of the schedule, when it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    flow: Option<String>,
    /// Topic `run`: the state that it came into.
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<&'static str>,
    /// Topic `run`, state `suspended`: what it waits for.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    /// Topic `run`, state `suspended`: when the first of its waits ends by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<String>,
    /// Topic `call`: `allowed` or `refused`.
    #[serde(skip_serializing_if = "Option::is_none")]
    decision: Option<&'static str>,
    /// Topic `alarm`: whether it is raised; otherwise it is over.
    #[serde(skip_serializing_if = "Option::is_none")]
    raised: Option<bool>,
    /// Topic `deployment`: the outcome.
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<&'static str>,
    /// Topic `schedule`: its identity in the flow; absent when all of the workspace are meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    schedule: Option<String>,
    /// Topic `schedule`: whether it is paused now.
    #[serde(skip_serializing_if = "Option::is_none")]
    paused: Option<bool>,
}

impl From<&Event> for EventJson {
    fn from(event: &Event) -> Self {
        let mut view = Self {
            id: event.id,
            at: event.at.to_string(),
            workspace: event.workspace.to_string(),
            topic: event.kind.topic(),
            run: event.kind.run().map(ToString::to_string),
            ..Self::default()
        };
        match &event.kind {
            EventKind::Run { flow, state, .. } => {
                view.flow = Some(flow.to_string());
                view.state = Some(state.as_str());
            }
            EventKind::Suspended { flow, reason, until, .. } => {
                view.flow = Some(flow.to_string());
                view.state = Some(State::Suspended.as_str());
                view.reason = Some(reason.as_str());
                view.until = until.map(|until| until.to_string());
            }
            EventKind::Log { .. } => {}
            EventKind::Call { allowed, .. } => {
                view.decision = Some(if *allowed { "allowed" } else { "refused" });
            }
            EventKind::Alarm { flow, raised } => {
                view.flow = flow.as_ref().map(ToString::to_string);
                view.raised = Some(*raised);
            }
            EventKind::Deployment { outcome } => view.outcome = Some(outcome),
            EventKind::Pause { schedule, paused } => {
                let (flow, schedule) = schedule.clone().unzip();
                (view.flow, view.schedule) = (flow.map(|flow| flow.to_string()), schedule);
                view.paused = Some(*paused);
            }
        }
        view
    }
}

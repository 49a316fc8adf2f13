//! `GET /api/v1/events`

use std::collections::VecDeque;
use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use axum::response::sse;
use serde::Deserialize;
use signalbox_core::{RunId, WorkspaceName};
use signalbox_engine::{Event, Subscription};
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;
use utoipa::ToSchema;

use crate::app::App;
use crate::problem::{PROBLEM_JSON, Problem, ProblemBody};
use crate::query::Query;
use crate::sse::{Feed, event, stream};
use crate::view::event::EventJson;

/// Which events.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct EventQuery {
    /// Of one workspace.
    #[param(value_type = Option<String>)]
    workspace: Option<WorkspaceName>,
    /// About one run.
    #[param(value_type = Option<String>)]
    run: Option<RunId>,
    /// Of one topic.
    #[param(inline)]
    topic: Option<Topic>,
}

/// What events are about.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Topic {
    Run,
    Log,
    Call,
    Deployment,
    Schedule,
}

impl Topic {
    fn as_str(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Log => "log",
            Self::Call => "call",
            Self::Deployment => "deployment",
            Self::Schedule => "schedule",
        }
    }
}

impl EventQuery {
    fn wants(&self, event: &Event) -> bool {
        self.workspace.as_ref().is_none_or(|workspace| *workspace == event.workspace)
            && self.run.as_ref().is_none_or(|run| event.kind.run() == Some(run))
            && self.topic.is_none_or(|topic| topic.as_str() == event.kind.topic())
    }
}

/// What happens, as it happens: server-sent events, each named after its topic.
///
/// A client that comes back with `Last-Event-ID` gets what it missed. When that is no longer known,
/// or when the client reads too slowly, an event `reset` says that it must read anew.
#[utoipa::path(
    get, path = "/api/v1/events", tag = "events",
    params(
        EventQuery,
        ("Last-Event-ID" = Option<u64>, Header, description = "Id of the last event seen"),
    ),
    responses(
        (status = 200, description = "Events", body = EventJson, content_type = "text/event-stream"),
        (status = "4XX", description = "A bad request", body = ProblemBody, content_type = PROBLEM_JSON),
    ),
)]
pub(crate) async fn events(
    State(app): State<App>,
    headers: HeaderMap,
    Query(query): Query<EventQuery>,
) -> Result<Response, Problem> {
    let after = last_event_id(&headers)?;
    let Subscription { backlog, gap, receiver } = app.engine.events(after);
    Ok(stream(app, Events { query, reset: gap, backlog: backlog.into(), receiver }))
}

/// The id of the last event that a client saw.
pub(crate) fn last_event_id(headers: &HeaderMap) -> Result<Option<u64>, Problem> {
    let Some(id) = headers.get("last-event-id") else { return Ok(None) };
    let number = id.to_str().ok().and_then(|id| id.parse().ok());
    number.map(Some).ok_or_else(|| Problem::bad_request("`Last-Event-ID` is a number"))
}

struct Events {
    query: EventQuery,
    reset: bool,
    backlog: VecDeque<Arc<Event>>,
    receiver: broadcast::Receiver<Arc<Event>>,
}

impl Feed for Events {
    async fn next(&mut self) -> Option<sse::Event> {
        loop {
            if std::mem::take(&mut self.reset) {
                return Some(event("reset", &serde_json::json!({})));
            }
            let next = match self.backlog.pop_front() {
                Some(event) => event,
                None => match self.receiver.recv().await {
                    Ok(event) => event,
                    Err(RecvError::Lagged(_)) => {
                        self.reset = true;
                        continue;
                    }
                    Err(RecvError::Closed) => return None,
                },
            };
            if self.query.wants(&next) {
                let view = EventJson::from(&*next);
                return Some(event(next.kind.topic(), &view).id(next.id.to_string()));
            }
        }
    }
}

//! `POST /api/v1/schedules/pause` and `POST /api/v1/schedules/resume`

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use signalbox_core::ids::FlowRef;
use signalbox_core::{FlowName, WorkspaceName};
use signalbox_engine::Which;
use utoipa::ToSchema;

use crate::app::App;
use crate::body::Body;
use crate::problem::{PROBLEM_JSON, Problem, ProblemBody};

/// Which schedule.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WhichSchedule {
    #[schema(value_type = String)]
    workspace: WorkspaceName,
    #[schema(value_type = String)]
    flow: FlowName,
    /// Its name or id; may be left out when the flow has only one.
    schedule: Option<String>,
}

/// What a pause or its end came to.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Paused {
    /// Whether it is paused now.
    pub(crate) paused: bool,
    /// Whether it was not before.
    pub(crate) changed: bool,
}

impl From<WhichSchedule> for Which {
    fn from(which: WhichSchedule) -> Self {
        let flow = FlowRef { workspace: which.workspace, flow: which.flow };
        Self::Schedule(flow, which.schedule)
    }
}

/// Pause a schedule: it does not fire before it is resumed, and owes nothing then.
#[utoipa::path(
    post, path = "/api/v1/schedules/pause", tag = "schedules", request_body = WhichSchedule,
    responses(
        (status = 200, description = "It is paused", body = Paused),
        (status = "4XX", description = "There is no such schedule", body = ProblemBody, content_type = PROBLEM_JSON),
    ),
)]
pub(crate) async fn pause_schedule(
    State(app): State<App>,
    Body(which): Body<WhichSchedule>,
) -> Result<Json<Paused>, Problem> {
    let changed = app.engine.pause(which.into()).await?;
    Ok(Json(Paused { paused: true, changed }))
}

/// Let a paused schedule go on with its next slot.
#[utoipa::path(
    post, path = "/api/v1/schedules/resume", tag = "schedules", request_body = WhichSchedule,
    responses(
        (status = 200, description = "It goes on", body = Paused),
        (status = "4XX", description = "There is no such schedule", body = ProblemBody, content_type = PROBLEM_JSON),
    ),
)]
pub(crate) async fn resume_schedule(
    State(app): State<App>,
    Body(which): Body<WhichSchedule>,
) -> Result<Json<Paused>, Problem> {
    let changed = app.engine.resume(which.into()).await?;
    Ok(Json(Paused { paused: false, changed }))
}

//! `POST /api/v1/workspaces/{workspace}/pause` and `POST /api/v1/workspaces/{workspace}/resume`

use axum::Json;
use axum::extract::State;
use signalbox_core::WorkspaceName;
use signalbox_engine::Which;

use crate::api::schedules::pause::Paused;
use crate::app::App;
use crate::problem::{PROBLEM_JSON, Problem, ProblemBody};
use crate::query::Path;

/// Pause every schedule of a workspace. Calls, webhooks and requests still start its flows.
#[utoipa::path(
    post, path = "/api/v1/workspaces/{workspace}/pause", tag = "workspaces",
    params(("workspace" = String, Path, description = "Its name")),
    responses(
        (status = 200, description = "They are paused", body = Paused),
        (status = "4XX", description = "There is none of that name", body = ProblemBody, content_type = PROBLEM_JSON),
    ),
)]
pub(crate) async fn pause_workspace(
    State(app): State<App>,
    Path(name): Path<WorkspaceName>,
) -> Result<Json<Paused>, Problem> {
    let changed = app.engine.pause(Which::Workspace(name)).await?;
    Ok(Json(Paused { paused: true, changed }))
}

/// Let the schedules of a workspace go on with their next slots. Those that were paused one by one
/// stay so.
#[utoipa::path(
    post, path = "/api/v1/workspaces/{workspace}/resume", tag = "workspaces",
    params(("workspace" = String, Path, description = "Its name")),
    responses(
        (status = 200, description = "They go on", body = Paused),
        (status = "4XX", description = "There is none of that name", body = ProblemBody, content_type = PROBLEM_JSON),
    ),
)]
pub(crate) async fn resume_workspace(
    State(app): State<App>,
    Path(name): Path<WorkspaceName>,
) -> Result<Json<Paused>, Problem> {
    let changed = app.engine.resume(Which::Workspace(name)).await?;
    Ok(Json(Paused { paused: false, changed }))
}

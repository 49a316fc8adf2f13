//! `POST /api/v1/workspaces/{workspace}/sync`

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use signalbox_core::WorkspaceName;

use super::known;
use crate::api::sync::{SyncJson, SyncRequest, look};
use crate::app::App;
use crate::body::Body;
use crate::problem::{PROBLEM_JSON, Problem, ProblemBody};
use crate::query::Path;

/// Look at the source now, and answer what became of one workspace.
#[utoipa::path(
    post, path = "/api/v1/workspaces/{workspace}/sync", tag = "workspaces",
    request_body = SyncRequest,
    params(
        ("workspace" = String, Path, description = "Its name"),
        ("X-Signalbox-Client" = Option<String>, Header, description = "`cli` or `action`"),
    ),
    responses(
        (status = 200, description = "The outcome of this workspace alone", body = SyncJson),
        (status = 202, description = "The runner will look; or it takes longer than `wait`"),
        (status = "4XX", description = "A bad request", body = ProblemBody, content_type = PROBLEM_JSON),
    ),
)]
pub(crate) async fn sync_workspace(
    State(app): State<App>,
    headers: HeaderMap,
    Path(name): Path<WorkspaceName>,
    Body(request): Body<SyncRequest>,
) -> Result<Response, Problem> {
    known(&app.engine.live(), &name)?;
    let Some(mut report) = look(&app, &headers, &request).await? else {
        return Ok(StatusCode::ACCEPTED.into_response());
    };
    report.workspaces.retain(|outcome| outcome.workspace == name);
    Ok(Json(SyncJson::from(&report)).into_response())
}

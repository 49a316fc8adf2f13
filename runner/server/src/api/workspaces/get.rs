//! `GET /api/v1/workspaces/{workspace}`

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use signalbox_core::WorkspaceName;

use super::{tagged, unknown};
use crate::app::App;
use crate::problem::{PROBLEM_JSON, Problem, ProblemBody};
use crate::query::Path;
use crate::view::workspace::WorkspaceJson;

/// One workspace.
#[utoipa::path(
    get, path = "/api/v1/workspaces/{workspace}", tag = "workspaces",
    params(("workspace" = String, Path, description = "Its name")),
    responses(
        (status = 200, description = "The workspace; with `ETag`", body = WorkspaceJson),
        (status = 304, description = "The same as `If-None-Match` names"),
        (status = 404, description = "There is none of that name", body = ProblemBody, content_type = PROBLEM_JSON),
    ),
)]
pub(crate) async fn get_workspace(
    State(app): State<App>,
    headers: HeaderMap,
    Path(name): Path<WorkspaceName>,
) -> Result<Response, Problem> {
    let counts = app.engine.store().counts().await?;
    let live = app.engine.live();
    let view = WorkspaceJson::find(&live, &name, &counts, &app.engine.alarms())
        .ok_or_else(|| unknown(&name))?;
    tagged(&headers, &view)
}

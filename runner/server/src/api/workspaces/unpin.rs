//! `POST /api/v1/workspaces/{workspace}/unpin`

use axum::extract::State;
use axum::http::StatusCode;
use signalbox_core::WorkspaceName;

use super::known;
use crate::app::App;
use crate::problem::{PROBLEM_JSON, Problem, ProblemBody};
use crate::query::Path;

/// Let a pinned workspace follow the source again.
#[utoipa::path(
    post, path = "/api/v1/workspaces/{workspace}/unpin", tag = "workspaces",
    params(("workspace" = String, Path, description = "Its name")),
    responses(
        (status = 204, description = "It does"),
        (status = "4XX", description = "There is none of that name", body = ProblemBody, content_type = PROBLEM_JSON),
    ),
)]
pub(crate) async fn unpin(
    State(app): State<App>,
    Path(name): Path<WorkspaceName>,
) -> Result<StatusCode, Problem> {
    known(&app.engine.live(), &name)?;
    app.engine.unpin(&name).await?;
    Ok(StatusCode::NO_CONTENT)
}

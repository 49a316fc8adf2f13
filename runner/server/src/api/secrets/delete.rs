//! `DELETE /api/v1/workspaces/{workspace}/secrets/{name}`

use axum::extract::State;
use axum::http::StatusCode;
use signalbox_core::WorkspaceName;

use crate::app::App;
use crate::problem::{PROBLEM_JSON, Problem, ProblemBody};
use crate::query::Path;

/// Forget a secret.
#[utoipa::path(
    delete, path = "/api/v1/workspaces/{workspace}/secrets/{name}", tag = "secrets",
    params(
        ("workspace" = String, Path, description = "The workspace's name"),
        ("name" = String, Path, description = "The secret's name"),
    ),
    responses(
        (status = 204, description = "It is forgotten"),
        (status = 404, description = "It was not there", body = ProblemBody, content_type = PROBLEM_JSON),
    ),
)]
pub(crate) async fn delete_secret(
    State(app): State<App>,
    Path((workspace, name)): Path<(WorkspaceName, String)>,
) -> Result<StatusCode, Problem> {
    app.engine.delete_secret(&workspace, &name).await?;
    Ok(StatusCode::NO_CONTENT)
}

//! `POST /api/v1/workspaces/{workspace}/rollback`

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use signalbox_core::{DeploymentId, WorkspaceName};
use utoipa::ToSchema;

use super::known;
use crate::app::App;
use crate::body::Body;
use crate::problem::{PROBLEM_JSON, Problem, ProblemBody};
use crate::query::Path;
use crate::view::deployment::OutcomeJson;

/// Where to go back to.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RollbackRequest {
    /// A deployment, such as `d12`; the last good one before the live one when not given.
    to: Option<String>,
}

/// Make an earlier deployment live again, and stay there until the workspace is unpinned.
#[utoipa::path(
    post, path = "/api/v1/workspaces/{workspace}/rollback", tag = "workspaces",
    request_body = RollbackRequest,
    params(("workspace" = String, Path, description = "Its name")),
    responses(
        (status = 200, description = "What became of it: it can be rejected", body = OutcomeJson),
        (status = "4XX", description = "There is nothing to go back to", body = ProblemBody, content_type = PROBLEM_JSON),
    ),
)]
pub(crate) async fn rollback(
    State(app): State<App>,
    Path(name): Path<WorkspaceName>,
    Body(request): Body<RollbackRequest>,
) -> Result<Json<OutcomeJson>, Problem> {
    known(&app.engine.live(), &name)?;
    let to = request.to.map(|to| to.parse::<DeploymentId>()).transpose();
    let to = to.map_err(|error| Problem::bad_request(error.to_string()))?;
    let outcome = app.engine.rollback(&name, to).await?;
    Ok(Json((&outcome).into()))
}

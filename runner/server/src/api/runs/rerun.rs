//! `POST /api/v1/runs/{run}/rerun`

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use signalbox_core::RunId;
use utoipa::ToSchema;

use crate::api::flows::start::{Started, accepted};
use crate::app::App;
use crate::body::Body;
use crate::problem::{PROBLEM_JSON, Problem, ProblemBody};
use crate::query::Path;

/// How to run again.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RerunRequest {
    /// At the live revision, instead of the run's own.
    #[serde(default)]
    newest: bool,
}

/// Start an ended run again with the same inputs.
#[utoipa::path(
    post, path = "/api/v1/runs/{run}/rerun", tag = "runs", request_body = RerunRequest,
    params(("run" = String, Path, description = "Its id")),
    responses(
        (status = 202, description = "The new run was accepted", body = Started),
        (status = 404, description = "There is none with that id", body = ProblemBody, content_type = PROBLEM_JSON),
        (status = 409, description = "It has not ended", body = ProblemBody, content_type = PROBLEM_JSON),
        (status = 422, description = "The flow no longer takes these inputs", body = ProblemBody, content_type = PROBLEM_JSON),
    ),
)]
pub(crate) async fn rerun_run(
    State(app): State<App>,
    Path(id): Path<RunId>,
    Body(request): Body<RerunRequest>,
) -> Result<Response, Problem> {
    Ok(accepted(&app.engine.rerun(&id, request.newest).await?))
}

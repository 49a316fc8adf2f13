//! `POST /api/v1/runs/{run}/dismiss`

use axum::extract::State;
use axum::http::StatusCode;
use signalbox_core::RunId;

use crate::app::App;
use crate::problem::{PROBLEM_JSON, Problem, ProblemBody};
use crate::query::Path;

/// Take a failed run off the dead letters: somebody has dealt with it.
#[utoipa::path(
    post, path = "/api/v1/runs/{run}/dismiss", tag = "runs",
    params(("run" = String, Path, description = "Its id")),
    responses(
        (status = 204, description = "It is no dead letter any more"),
        (status = 404, description = "There is none with that id", body = ProblemBody, content_type = PROBLEM_JSON),
        (status = 409, description = "It has not failed, or was dealt with before", body = ProblemBody, content_type = PROBLEM_JSON),
    ),
)]
pub(crate) async fn dismiss_run(
    State(app): State<App>,
    Path(id): Path<RunId>,
) -> Result<StatusCode, Problem> {
    app.engine.dismiss(&id).await?;
    Ok(StatusCode::NO_CONTENT)
}

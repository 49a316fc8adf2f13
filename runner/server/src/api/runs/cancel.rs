//! `POST /api/v1/runs/{run}/cancel`

use axum::extract::State;
use axum::http::StatusCode;
use signalbox_core::RunId;

use crate::app::App;
use crate::problem::{PROBLEM_JSON, Problem, ProblemBody};
use crate::query::Path;

/// Ask for the end of a run, and of the runs that it waits for.
#[utoipa::path(
    post, path = "/api/v1/runs/{run}/cancel", tag = "runs",
    params(("run" = String, Path, description = "Its id")),
    responses(
        (status = 202, description = "It will end"),
        (status = 404, description = "There is none with that id", body = ProblemBody, content_type = PROBLEM_JSON),
        (status = 409, description = "It has ended already", body = ProblemBody, content_type = PROBLEM_JSON),
    ),
)]
pub(crate) async fn cancel_run(
    State(app): State<App>,
    Path(id): Path<RunId>,
) -> Result<StatusCode, Problem> {
    app.engine.cancel(&id).await?;
    Ok(StatusCode::ACCEPTED)
}

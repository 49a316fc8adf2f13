//! `GET /readyz`

use axum::extract::State;
use axum::http::StatusCode;
use signalbox_core::codes::Code;

use crate::app::App;
use crate::problem::{PROBLEM_JSON, Problem, ProblemBody};
use crate::starting;

/// Whether the runner takes work.
#[utoipa::path(
    get, path = "/readyz", tag = "runner", security(()),
    responses(
        (status = 200, description = "It does"),
        (status = 503, description = "It is still starting, or stopping", body = ProblemBody, content_type = PROBLEM_JSON),
    ),
)]
pub(crate) async fn readyz(State(app): State<App>) -> Result<StatusCode, Problem> {
    if app.is_closing() {
        return Err(Problem::new(Code::ShuttingDown, "the runner is stopping"));
    }
    if !app.engine.has_started() {
        return Err(starting::problem());
    }
    Ok(StatusCode::OK)
}

//! `GET /api/v1/runs/{run}`

use axum::Json;
use axum::extract::State;
use signalbox_core::RunId;

use crate::app::App;
use crate::problem::{PROBLEM_JSON, Problem, ProblemBody};
use crate::query::Path;
use crate::view::run::RunJson;

/// One run whole.
#[utoipa::path(
    get, path = "/api/v1/runs/{run}", tag = "runs",
    params(("run" = String, Path, description = "Its id")),
    responses(
        (status = 200, description = "The run", body = RunJson),
        (status = 404, description = "There is none with that id", body = ProblemBody, content_type = PROBLEM_JSON),
    ),
)]
pub(crate) async fn get_run(
    State(app): State<App>,
    Path(id): Path<RunId>,
) -> Result<Json<RunJson>, Problem> {
    let run = app.engine.run(&id).await?;
    let why = app.engine.why(&run).await?;
    Ok(Json(RunJson::try_from(&run)?.because(why.as_ref())))
}

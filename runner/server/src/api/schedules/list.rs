//! `GET /api/v1/schedules`

use axum::Json;
use axum::extract::State;

use crate::app::App;
use crate::problem::{PROBLEM_JSON, Problem, ProblemBody};
use crate::query::{List, Part, Query};
use crate::view::schedule::ScheduleJson;

/// Every schedule of live flows, by flow.
#[utoipa::path(
    get, path = "/api/v1/schedules", tag = "schedules", params(Part),
    responses(
        (status = 200, description = "Schedules", body = List<ScheduleJson>),
        (status = "4XX", description = "A bad request", body = ProblemBody, content_type = PROBLEM_JSON),
    ),
)]
pub(crate) async fn list_schedules(
    State(app): State<App>,
    Query(part): Query<Part>,
) -> Result<Json<List<ScheduleJson>>, Problem> {
    let all = app.engine.schedules().await?;
    Ok(Json(List::part_of(all.iter(), &part, Into::into)))
}

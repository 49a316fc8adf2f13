//! `GET /api/v1/schedules/next`

use axum::Json;
use axum::extract::State;
use serde::Deserialize;

use crate::app::App;
use crate::problem::{PROBLEM_JSON, Problem, ProblemBody};
use crate::query::{Limit, List, Query};
use crate::view::schedule::SlotJson;

/// How many slots.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct NextQuery {
    /// At most so many, 1 to 1,000; 10 when not given.
    #[param(value_type = Option<u64>)]
    limit: Option<Limit>,
}

/// The next slots over all schedules, soonest first.
#[utoipa::path(
    get, path = "/api/v1/schedules/next", tag = "schedules", params(NextQuery),
    responses(
        (status = 200, description = "Slots; `next` is always null", body = List<SlotJson>),
        (status = "4XX", description = "A bad request", body = ProblemBody, content_type = PROBLEM_JSON),
    ),
)]
pub(crate) async fn next_slots(
    State(app): State<App>,
    Query(query): Query<NextQuery>,
) -> Result<Json<List<SlotJson>>, Problem> {
    let slots = app.engine.next_slots(Limit::or(query.limit, 10));
    Ok(Json(List::of(slots.iter().map(Into::into).collect(), None)))
}

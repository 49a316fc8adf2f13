//! `GET /api/v1/queue`

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use signalbox_core::WorkspaceName;

use crate::app::App;
use crate::problem::{PROBLEM_JSON, Problem, ProblemBody};
use crate::query::{Limit, List, Query};
use crate::view::queue::QueueJson;

/// Which queues.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct QueueQuery {
    /// Of one workspace.
    #[param(value_type = Option<String>)]
    workspace: Option<WorkspaceName>,
    /// At most so many runs in each list, 1 to 1,000; 20 when not given.
    #[param(value_type = Option<u64>)]
    limit: Option<Limit>,
}

/// What runs and waits, by workspace and key. Workspaces where nothing does are left out.
#[utoipa::path(
    get, path = "/api/v1/queue", tag = "runs", params(QueueQuery),
    responses(
        (status = 200, description = "Queues, by workspace", body = List<QueueJson>),
        (status = "4XX", description = "A bad request", body = ProblemBody, content_type = PROBLEM_JSON),
    ),
)]
pub(crate) async fn get_queue(
    State(app): State<App>,
    Query(query): Query<QueueQuery>,
) -> Result<Json<List<QueueJson>>, Problem> {
    let queues = app.engine.store().queues(query.workspace, Limit::or(query.limit, 20)).await?;
    let live = app.engine.live();
    let view = |queue| QueueJson::of(queue, &live.grants(&queue.workspace).limits);
    Ok(Json(List::of(queues.iter().map(view).collect(), None)))
}

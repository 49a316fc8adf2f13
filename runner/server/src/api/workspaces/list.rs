//! `GET /api/v1/workspaces`

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;

use super::tagged;
use crate::app::App;
use crate::problem::{PROBLEM_JSON, Problem, ProblemBody};
use crate::query::{List, Part, Query};
use crate::view::workspace::{WorkspaceJson, names};

/// Every workspace that is live or that the root manifest names, by name.
#[utoipa::path(
    get, path = "/api/v1/workspaces", tag = "workspaces", params(Part),
    responses(
        (status = 200, description = "Workspaces; with `ETag`", body = List<WorkspaceJson>),
        (status = 304, description = "The same as `If-None-Match` names"),
        (status = "4XX", description = "A bad request", body = ProblemBody, content_type = PROBLEM_JSON),
    ),
)]
pub(crate) async fn list_workspaces(
    State(app): State<App>,
    headers: HeaderMap,
    Query(part): Query<Part>,
) -> Result<Response, Problem> {
    let counts = app.engine.store().counts().await?;
    let live = app.engine.live();
    let alarms = app.engine.alarms();
    let views: Vec<_> = names(&live)
        .into_iter()
        .filter_map(|name| WorkspaceJson::find(&live, name, &counts, &alarms))
        .collect();
    tagged(&headers, &List::part_of(views.into_iter(), &part, |view| view))
}

//! `GET /api/v1/workspaces/{workspace}/deployments`

use axum::Json;
use axum::extract::State;
use signalbox_core::{DeploymentId, WorkspaceName};

use super::known;
use crate::app::App;
use crate::problem::{PROBLEM_JSON, Problem, ProblemBody};
use crate::query::{Limit, List, Part, Path, Query};
use crate::view::deployment::OutcomeJson;

/// The deployments of a workspace, newest first.
#[utoipa::path(
    get, path = "/api/v1/workspaces/{workspace}/deployments", tag = "workspaces",
    params(("workspace" = String, Path, description = "Its name"), Part),
    responses(
        (status = 200, description = "Deployments", body = List<OutcomeJson>),
        (status = "4XX", description = "A bad request", body = ProblemBody, content_type = PROBLEM_JSON),
    ),
)]
pub(crate) async fn list_deployments(
    State(app): State<App>,
    Path(name): Path<WorkspaceName>,
    Query(part): Query<Part>,
) -> Result<Json<List<OutcomeJson>>, Problem> {
    known(&app.engine.live(), &name)?;
    let limit = Limit::or(part.limit, 50);
    let before = part.cursor.map(|cursor| DeploymentId(cursor.0));
    // One more than wanted says whether there is a next part.
    let mut found = app.engine.deployments(&name, limit + 1, before).await?;
    let more = found.len() > limit;
    found.truncate(limit);
    let next = found.last().filter(|_| more).map(|last| last.id.0);
    Ok(Json(List::of(found.iter().map(Into::into).collect(), next)))
}

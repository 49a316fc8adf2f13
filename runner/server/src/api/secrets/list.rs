//! `GET /api/v1/workspaces/{workspace}/secrets`

use axum::Json;
use axum::extract::State;
use signalbox_core::WorkspaceName;

use crate::app::App;
use crate::problem::{PROBLEM_JSON, Problem, ProblemBody};
use crate::query::{List, Part, Path, Query};
use crate::view::secret::SecretJson;

/// Names of a workspace's secrets: those that have a value and those it declares.
#[utoipa::path(
    get, path = "/api/v1/workspaces/{workspace}/secrets", tag = "secrets",
    params(("workspace" = String, Path, description = "The workspace's name"), Part),
    responses(
        (status = 200, description = "Names; values are never shown", body = List<SecretJson>),
        (status = "4XX", description = "There is no such workspace", body = ProblemBody, content_type = PROBLEM_JSON),
    ),
)]
pub(crate) async fn list_secrets(
    State(app): State<App>,
    Path(workspace): Path<WorkspaceName>,
    Query(part): Query<Part>,
) -> Result<Json<List<SecretJson>>, Problem> {
    let names = app.engine.secrets(&workspace).await?;
    Ok(Json(List::part_of(names.into_iter(), &part, Into::into)))
}

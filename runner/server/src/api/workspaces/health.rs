//! `GET /api/v1/workspaces/{workspace}/health`

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use signalbox_core::codes::Code;
use signalbox_core::{FlowName, WorkspaceName};

use super::known;
use crate::app::App;
use crate::problem::{PROBLEM_JSON, Problem, ProblemBody};
use crate::query::{Path, Query};
use crate::view::health::HealthJson;

/// Whose health.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct HealthQuery {
    /// Of one flow of the workspace.
    #[param(value_type = Option<String>)]
    flow: Option<FlowName>,
}

/// How the runs of a workspace ended lately, what of that is too bad, and its alarms.
#[utoipa::path(
    get, path = "/api/v1/workspaces/{workspace}/health", tag = "workspaces",
    params(("workspace" = String, Path, description = "Its name"), HealthQuery),
    responses(
        (status = 200, description = "Its health", body = HealthJson),
        (status = "4XX", description = "There is none of that name", body = ProblemBody, content_type = PROBLEM_JSON),
    ),
)]
pub(crate) async fn get_health(
    State(app): State<App>,
    Path(name): Path<WorkspaceName>,
    Query(HealthQuery { flow }): Query<HealthQuery>,
) -> Result<Json<HealthJson>, Problem> {
    let live = app.engine.live();
    known(&live, &name)?;
    if let Some(flow) = &flow
        && live.catalog.find_flow(&name, flow).is_none()
    {
        let detail = format!("`{name}` has no flow `{flow}`");
        return Err(Problem::new(Code::UnknownFlow, detail));
    }
    let health = app.engine.health(&name, flow.as_ref()).await?;
    Ok(Json(HealthJson::of(name.as_str(), flow.as_ref().map(AsRef::as_ref), &health)))
}

//! `GET /api/v1/workspaces/{workspace}/flows/{flow}`

use axum::Json;
use axum::extract::State;
use signalbox_core::WorkspaceName;
use signalbox_core::codes::Code;

use super::{nothing_live, parse};
use crate::app::App;
use crate::problem::{PROBLEM_JSON, Problem, ProblemBody};
use crate::query::Path;
use crate::view::flow::FlowJson;

/// One live flow.
#[utoipa::path(
    get, path = "/api/v1/workspaces/{workspace}/flows/{flow}", tag = "flows",
    params(
        ("workspace" = String, Path, description = "The workspace's name"),
        ("flow" = String, Path, description = "The flow's name, with its slashes or with `%2F`"),
    ),
    responses(
        (status = 200, description = "The flow", body = FlowJson),
        (status = "4XX", description = "There is no such flow", body = ProblemBody, content_type = PROBLEM_JSON),
    ),
)]
pub(crate) async fn get_flow(
    State(app): State<App>,
    Path((workspace, flow)): Path<(WorkspaceName, String)>,
) -> Result<Json<FlowJson>, Problem> {
    let flow = parse(&flow)?;
    let live = app.engine.live();
    let (spec, _) = live.find(&workspace).ok_or_else(|| nothing_live(&live, &workspace))?;
    let found = spec.flows.get(&flow).ok_or_else(|| {
        Problem::new(Code::UnknownFlow, format!("`{workspace}` has no flow `{flow}`"))
    })?;
    Ok(Json(FlowJson::of(spec, &flow, found)))
}

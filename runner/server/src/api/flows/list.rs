//! `GET /api/v1/workspaces/{workspace}/flows`

use axum::Json;
use axum::extract::State;
use signalbox_core::WorkspaceName;

use super::nothing_live;
use crate::app::App;
use crate::problem::{PROBLEM_JSON, Problem, ProblemBody};
use crate::query::{List, Part, Path, Query};
use crate::view::flow::FlowJson;

/// The live flows of a workspace, by name.
#[utoipa::path(
    get, path = "/api/v1/workspaces/{workspace}/flows", tag = "flows",
    params(("workspace" = String, Path, description = "The workspace's name"), Part),
    responses(
        (status = 200, description = "Flows", body = List<FlowJson>),
        (status = "4XX", description = "There is no such workspace", body = ProblemBody, content_type = PROBLEM_JSON),
    ),
)]
pub(crate) async fn list_flows(
    State(app): State<App>,
    Path(name): Path<WorkspaceName>,
    Query(part): Query<Part>,
) -> Result<Json<List<FlowJson>>, Problem> {
    let live = app.engine.live();
    let (spec, _) = live.find(&name).ok_or_else(|| nothing_live(&live, &name))?;
    Ok(Json(List::part_of(spec.flows.iter(), &part, |(name, flow)| FlowJson::of(spec, name, flow))))
}

//! `GET /api/v1/runs`

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use signalbox_core::run::State as RunState;
use signalbox_core::{FlowName, WorkspaceName};
use signalbox_store::contract::RunFilter;

use crate::app::App;
use crate::problem::{PROBLEM_JSON, Problem, ProblemBody};
use crate::query::{Cursor, Limit, List, Query, Since};
use crate::view::run::RunJson;

/// Which runs.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct RunQuery {
    /// Of one workspace.
    #[param(value_type = Option<String>)]
    workspace: Option<WorkspaceName>,
    /// Of one flow, by its name in its workspace.
    #[param(value_type = Option<String>)]
    flow: Option<FlowName>,
    /// In one state.
    #[param(value_type = Option<String>)]
    state: Option<RunState>,
    /// Only the dead letters: failed runs that nobody has dealt with.
    #[serde(default)]
    #[param(value_type = Option<bool>)]
    dead: bool,
    /// Accepted at or after (RFC 3339).
    #[param(value_type = Option<String>)]
    since: Option<Since>,
    /// At most so many items, 1 to 1,000; 50 when not given.
    #[param(value_type = Option<u64>)]
    limit: Option<Limit>,
    /// `next` of the part before.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor>,
}

/// Runs, newest first.
#[utoipa::path(
    get, path = "/api/v1/runs", tag = "runs", params(RunQuery),
    responses(
        (status = 200, description = "Runs, without inputs, results and steps",
            body = List<RunJson>),
        (status = "4XX", description = "A bad request", body = ProblemBody, content_type = PROBLEM_JSON),
    ),
)]
pub(crate) async fn list_runs(
    State(app): State<App>,
    Query(query): Query<RunQuery>,
) -> Result<Json<List<RunJson>>, Problem> {
    let filter = RunFilter {
        workspace: query.workspace,
        flow: query.flow,
        state: query.state,
        dead: query.dead,
        since: query.since.map(|since| since.0),
        limit: Limit::or(query.limit, 50),
        cursor: query.cursor.map(|cursor| cursor.0),
    };
    let page = app.engine.store().runs(filter).await?;
    let whys = app.engine.whys(&page.items).await?;
    let runs = page.items.iter().zip(&whys);
    let runs = runs.map(|(run, why)| RunJson::from(run).because(why.as_ref())).collect();
    Ok(Json(List::of(runs, page.next)))
}

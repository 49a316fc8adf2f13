//! `GET /api/v1/calls`

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use signalbox_core::WorkspaceName;
use signalbox_store::contract::{CallDecision, CallFilter};
use utoipa::ToSchema;

use crate::app::App;
use crate::problem::{PROBLEM_JSON, Problem, ProblemBody};
use crate::query::{Cursor, Limit, List, Query, Since};
use crate::view::call::CallJson;

/// Which decisions.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct CallQuery {
    /// With this workspace on either side.
    #[param(value_type = Option<String>)]
    workspace: Option<WorkspaceName>,
    /// Allowed or refused.
    #[param(inline)]
    decision: Option<Decision>,
    /// Made at or after (RFC 3339).
    #[param(value_type = Option<String>)]
    since: Option<Since>,
    /// At most so many items, 1 to 1,000; 50 when not given.
    #[param(value_type = Option<u64>)]
    limit: Option<Limit>,
    /// `next` of the part before.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor>,
}

/// What the broker decided.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Decision {
    Allowed,
    Refused,
}

/// Every decision of the broker, newest first.
#[utoipa::path(
    get, path = "/api/v1/calls", tag = "calls", params(CallQuery),
    responses(
        (status = 200, description = "Decisions, refusals included", body = List<CallJson>),
        (status = "4XX", description = "A bad request", body = ProblemBody, content_type = PROBLEM_JSON),
    ),
)]
pub(crate) async fn calls(
    State(app): State<App>,
    Query(query): Query<CallQuery>,
) -> Result<Json<List<CallJson>>, Problem> {
    let filter = CallFilter {
        workspace: query.workspace,
        decision: query.decision.map(|decision| match decision {
            Decision::Allowed => CallDecision::Allowed,
            Decision::Refused => CallDecision::Refused,
        }),
        since: query.since.map(|since| since.0),
        limit: Limit::or(query.limit, 50),
        cursor: query.cursor.map(|cursor| cursor.0),
    };
    let page = app.engine.store().calls(filter).await?;
    Ok(Json(List::of(page.items.iter().map(Into::into).collect(), page.next)))
}

//! `GET /api/v1/webhooks`

use axum::Json;
use axum::extract::State;

use crate::app::App;
use crate::problem::{PROBLEM_JSON, Problem, ProblemBody};
use crate::query::{List, Part, Query};
use crate::view::webhook::WebhookJson;

/// Every webhook of live workspaces, by workspace and name.
#[utoipa::path(
    get, path = "/api/v1/webhooks", tag = "webhooks", params(Part),
    responses(
        (status = 200, description = "Webhooks", body = List<WebhookJson>),
        (status = "4XX", description = "A bad request", body = ProblemBody, content_type = PROBLEM_JSON),
    ),
)]
pub(crate) async fn list_webhooks(
    State(app): State<App>,
    Query(part): Query<Part>,
) -> Result<Json<List<WebhookJson>>, Problem> {
    let all = app.engine.webhooks().await?;
    Ok(Json(List::part_of(all.iter(), &part, Into::into)))
}

//! `GET /api/v1/source`

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use signalbox_core::diagnostic::Diagnostic;
use utoipa::ToSchema;

use crate::app::App;

/// The source, as of the last look at it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Source {
    /// The newest commit that was looked at; null when there was none to be had.
    head: Option<String>,
    /// Faults of the root manifest or of the source itself; as in a deployment's outcome.
    #[schema(value_type = Vec<Object>)]
    diagnostics: Vec<serde_json::Value>,
    /// Whether every workspace is live at what the source wants.
    healthy: bool,
}

/// Where definitions come from, and what is wrong with it as a whole.
#[utoipa::path(
    get, path = "/api/v1/source", tag = "workspaces",
    responses((status = 200, description = "The source", body = Source)),
)]
pub(crate) async fn source(State(app): State<App>) -> Json<Source> {
    let live = app.engine.live();
    Json(Source {
        head: live.head.as_ref().map(ToString::to_string),
        diagnostics: live.root_faults.iter().map(Diagnostic::to_json).collect(),
        healthy: live.is_healthy(),
    })
}

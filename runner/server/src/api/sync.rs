//! `POST /api/v1/sync`

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use signalbox_core::Revision;
use signalbox_core::diagnostic::Diagnostic;
use signalbox_engine::SyncReport;
use signalbox_sync::hints::HintKind;
use utoipa::ToSchema;

use crate::app::App;
use crate::body::Body;
use crate::problem::{PROBLEM_JSON, Problem, ProblemBody};
use crate::query::Wait;
use crate::view::deployment::OutcomeJson;

/// How to look at the source.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SyncRequest {
    /// The commit that the client knows of. It is a hint like the request itself: the runner
    /// compares heads on its own and goes to the newest. When the source's head is another commit,
    /// the answer's `revision` says which one was looked at.
    #[schema(value_type = Option<String>)]
    revision: Option<Revision>,
    /// Wait for the outcome, at most so many seconds; at most 300.
    #[schema(value_type = Option<u64>)]
    wait: Option<Wait>,
}

/// What a look at the source came to.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SyncReport)]
pub(crate) struct SyncJson {
    /// The commit that was looked at; null when there was none to be had.
    revision: Option<String>,
    /// Faults of the root manifest or of the source itself; as in a deployment's outcome.
    #[schema(value_type = Vec<Object>)]
    diagnostics: Vec<serde_json::Value>,
    /// The outcome of every workspace.
    workspaces: Vec<OutcomeJson>,
}

impl From<&SyncReport> for SyncJson {
    fn from(report: &SyncReport) -> Self {
        Self {
            revision: report.revision.as_ref().map(ToString::to_string),
            diagnostics: report.root_faults.iter().map(Diagnostic::to_json).collect(),
            workspaces: report.workspaces.iter().map(Into::into).collect(),
        }
    }
}

/// Look at the source now.
#[utoipa::path(
    post, path = "/api/v1/sync", tag = "workspaces", request_body = SyncRequest,
    params(("X-Signalbox-Client" = Option<String>, Header, description = "`cli` or `action`")),
    responses(
        (status = 200, description = "The outcome", body = SyncJson),
        (status = 202, description = "The runner will look; or it takes longer than `wait`"),
        (status = "4XX", description = "A bad request", body = ProblemBody, content_type = PROBLEM_JSON),
    ),
)]
pub(crate) async fn sync(
    State(app): State<App>,
    headers: HeaderMap,
    Body(request): Body<SyncRequest>,
) -> Result<Response, Problem> {
    Ok(match look(&app, &headers, &request).await? {
        Some(report) => Json(SyncJson::from(&report)).into_response(),
        None => StatusCode::ACCEPTED.into_response(),
    })
}

/// Hints the engine, and waits for the outcome when that is wanted; `None` when there is none yet.
pub(crate) async fn look(
    app: &App,
    headers: &HeaderMap,
    request: &SyncRequest,
) -> Result<Option<SyncReport>, Problem> {
    let kind = match headers.get("x-signalbox-client").map(HeaderValue::as_bytes) {
        Some(b"cli") => HintKind::Cli,
        Some(b"action") => HintKind::Action,
        _ => HintKind::Api,
    };
    if let Some(revision) = &request.revision {
        tracing::debug!(%revision, "a client knows of a revision");
    }
    let wait = request.wait.map(|wait| wait.0).filter(|wait| !wait.is_zero());
    tokio::select! {
        report = app.engine.sync(kind, wait) => Ok(report?),
        () = app.closing() => Ok(None),
    }
}

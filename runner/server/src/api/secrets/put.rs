//! `PUT /api/v1/workspaces/{workspace}/secrets/{name}`

use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use signalbox_core::WorkspaceName;
use utoipa::ToSchema;

use crate::app::App;
use crate::body::Body;
use crate::problem::{PROBLEM_JSON, Problem, ProblemBody};
use crate::query::Path;

/// A secret's value. No `Debug`: it would show it.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SecretValue {
    /// The value.
    value: String,
}

/// Give a secret its value.
#[utoipa::path(
    put, path = "/api/v1/workspaces/{workspace}/secrets/{name}", tag = "secrets",
    request_body = SecretValue,
    params(
        ("workspace" = String, Path, description = "The workspace's name"),
        ("name" = String, Path, description = "The secret's name: A-Z, 0-9 and `_`"),
    ),
    responses(
        (status = 204, description = "It has it"),
        (status = "4XX", description = "A bad request", body = ProblemBody, content_type = PROBLEM_JSON),
    ),
)]
pub(crate) async fn put_secret(
    State(app): State<App>,
    Path((workspace, name)): Path<(WorkspaceName, String)>,
    Body(secret): Body<SecretValue>,
) -> Result<StatusCode, Problem> {
    app.engine.set_secret(&workspace, &name, secret.value.as_bytes()).await?;
    Ok(StatusCode::NO_CONTENT)
}

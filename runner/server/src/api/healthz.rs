//! `GET /healthz`

use axum::http::StatusCode;

/// Whether the process lives.
#[utoipa::path(
    get, path = "/healthz", tag = "runner", security(()),
    responses((status = 200, description = "It does")),
)]
pub(crate) async fn healthz() -> StatusCode {
    StatusCode::OK
}

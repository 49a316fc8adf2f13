//! Workspaces and their deployments.

pub(crate) mod deployments;
pub(crate) mod get;
pub(crate) mod health;
pub(crate) mod list;
pub(crate) mod pause;
pub(crate) mod rollback;
pub(crate) mod sync;
pub(crate) mod unpin;

use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use signalbox_core::codes::Code;
use signalbox_core::{Digest, WorkspaceName};
use signalbox_engine::Live;

use crate::problem::Problem;

/// Refuses a workspace that neither is live nor stands in the root manifest.
pub(crate) fn known(live: &Live, name: &WorkspaceName) -> Result<(), Problem> {
    if live.info.contains_key(name) || live.last.contains_key(name) {
        Ok(())
    } else {
        Err(unknown(name))
    }
}

/// There is no such workspace.
pub(crate) fn unknown(name: &WorkspaceName) -> Problem {
    Problem::new(Code::UnknownWorkspace, format!("there is no workspace `{name}`"))
}

/// JSON with an `ETag`, or 304 when the client has the same already.
fn tagged(headers: &HeaderMap, view: &impl serde::Serialize) -> Result<Response, Problem> {
    let body = serde_json::to_vec(view).map_err(|error| Problem::internal(&error))?;
    let tag = format!("\"{}\"", &Digest::of(&body).to_string()[..32]);
    let same = headers.get_all(header::IF_NONE_MATCH).iter().any(|given| names_tag(given, &tag));
    let fresh = [
        (header::ETAG, HeaderValue::try_from(tag).map_err(|error| Problem::internal(&error))?),
        (header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache")),
    ];
    if same {
        return Ok((axum::http::StatusCode::NOT_MODIFIED, fresh).into_response());
    }
    Ok((fresh, [(header::CONTENT_TYPE, "application/json")], body).into_response())
}

/// Whether an `If-None-Match` names the tag (RFC 9110 §13.1.2, the weak comparison).
fn names_tag(given: &HeaderValue, tag: &str) -> bool {
    let Ok(given) = given.to_str() else { return false };
    given
        .split(',')
        .map(str::trim)
        .any(|one| one == "*" || one.strip_prefix("W/").unwrap_or(one) == tag)
}

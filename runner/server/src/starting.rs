//! Who asks before anything is live waits for the end of the first look at the source, so that a
//! request right after the very first start is answered as one that comes later.

use std::time::Duration;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use signalbox_core::codes::Code;

use crate::app::App;
use crate::problem::Problem;

/// How long a request waits.
const PATIENCE: Duration = Duration::from_secs(10);

/// Lets a request through once there is something to ask.
pub(crate) async fn wait_for_start(
    State(app): State<App>,
    request: Request,
    next: Next,
) -> Response {
    if app.engine.has_started() || !asks_what_is_live(request.uri().path()) {
        return next.run(request).await;
    }
    if app.engine.started(PATIENCE).await || app.is_closing() {
        return next.run(request).await;
    }
    problem().into_response()
}

/// Nothing is live yet, and whether something will be is not known.
pub(crate) fn problem() -> Problem {
    let detail = "the runner is still starting: its first look at the repository is under way";
    Problem::new(Code::Starting, detail)
}

/// What happens can be followed, and a look can be asked for, from the start.
fn asks_what_is_live(path: &str) -> bool {
    let rest = path.strip_prefix("/api/v1/");
    rest.is_some_and(|rest| !matches!(rest, "events" | "sync")) || path.starts_with("/hooks/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whether_it_lives_and_what_happens_is_answered_from_the_start() {
        for path in ["/healthz", "/readyz", "/", "/metrics", "/api/v1/events", "/api/v1/sync"] {
            assert!(!asks_what_is_live(path), "{path}");
        }
        for path in ["/api/v1/workspaces", "/api/v1/workspaces/a/flows/b/runs", "/hooks/a/b"] {
            assert!(asks_what_is_live(path), "{path}");
        }
    }
}

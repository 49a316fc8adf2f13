//! `POST /hooks/{workspace}/{webhook}`
//!
//! The one route that starts work for somebody without the server's token. Whoever sends must prove
//! what the webhook asks for; only one that asks for nothing is kept to this machine while the
//! server has no token, as everything else is.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use signalbox_core::RunId;
use signalbox_core::codes::Code;
use signalbox_core::run::State as RunState;
use signalbox_core::webhook::Mode;
use signalbox_engine::{Arrival, Delivery};
use utoipa::ToSchema;

use super::budget::Share;
use crate::app::App;
use crate::body;
use crate::guard;
use crate::problem::{PROBLEM_JSON, Problem, ProblemBody};
use crate::query::{Path, Query};

/// Names the run in an answer that is the flow's own result.
const RUN: &str = "signalbox-run";

/// A delivery that was accepted.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Delivered {
    /// The run's id; a repeated delivery has that of the first.
    id: String,
}

/// Deliver to a webhook. Its `auth` decides who may; the server's token is not asked for.
#[utoipa::path(
    post, path = "/hooks/{workspace}/{webhook}", tag = "webhooks",
    params(
        ("workspace" = String, Path, description = "The workspace's name"),
        ("webhook" = String, Path, description = "The webhook's name"),
    ),
    request_body(content = Object, description = "What the sender has to say; nothing counts as `{}`"),
    security(()),
    responses(
        (status = 200, description = "With `mode: sync`: the flow's result; the header `Signalbox-Run` has the run's id", body = Object),
        (status = 202, description = "It was accepted, or did not end in time", body = Delivered),
        (status = 400, description = "The body is no JSON or broke off", body = ProblemBody, content_type = PROBLEM_JSON),
        (status = 401, description = "The sender did not prove who it is", body = ProblemBody, content_type = PROBLEM_JSON),
        (status = 404, description = "There is no such webhook", body = ProblemBody, content_type = PROBLEM_JSON),
        (status = 409, description = "The same delivery came with other inputs before", body = ProblemBody, content_type = PROBLEM_JSON),
        (status = 413, description = "The body, or the inputs made of it, are too large", body = ProblemBody, content_type = PROBLEM_JSON),
        (status = 415, description = "The body is not said to be JSON", body = ProblemBody, content_type = PROBLEM_JSON),
        (status = 422, description = "The flow does not take these inputs", body = ProblemBody, content_type = PROBLEM_JSON),
        (status = 429, description = "More than the webhook or the queue takes", body = ProblemBody, content_type = PROBLEM_JSON),
        (status = 502, description = "With `mode: sync`: the run did not succeed", body = ProblemBody, content_type = PROBLEM_JSON),
        (status = 503, description = "A secret is not set, or the runner is stopping", body = ProblemBody, content_type = PROBLEM_JSON),
    ),
)]
pub(crate) async fn deliver(
    State(app): State<App>,
    Path((workspace, name)): Path<(String, String)>,
    Query(query): Query<BTreeMap<String, String>>,
    request: Request,
) -> Result<Response, Problem> {
    let arrival = app
        .engine
        .webhook(&workspace, &name)
        .ok_or_else(|| Problem::not_found("there is no such webhook"))?;
    if arrival.webhook().auth.is_open() && app.token.is_none() {
        guard::from_this_machine(request.headers())?;
    }
    let mode = arrival.webhook().mode;
    let run = accept(arrival, query, request).await?;
    match mode {
        Mode::Sync { timeout } => match ended(&app, &run, timeout).await? {
            Some(last) => result(&app, &last).await,
            None => Ok(accepted(&run)),
        },
        Mode::Async => Ok(accepted(&run)),
    }
}

fn accepted(run: &RunId) -> Response {
    (StatusCode::ACCEPTED, Json(Delivered { id: run.to_string() })).into_response()
}

async fn accept(
    arrival: Arrival,
    query: BTreeMap<String, String>,
    request: Request,
) -> Result<RunId, Problem> {
    let challenge = (arrival.webhook().auth.kind() == "basic").then_some("Basic realm=\"webhook\"");
    let limit = arrival.webhook().max_body();
    let unproven = |error: signalbox_engine::Error| Problem::from(error).challenge(challenge);
    let is_json = body::is_json(request.headers())?;
    let opened = arrival.open(request.headers()).await.map_err(unproven)?;
    let headers = request.headers().clone();
    let mut share = Share::default();
    let body = body::receive(request, limit, |length| share.grow(length)).await?;
    if !is_json && !body.is_empty() {
        return Err(body::media_type());
    }
    let delivery = Delivery { headers, query, body: body.into() };
    Ok(opened.accept(delivery).await.map_err(unproven)?.run)
}

/// The run that ended last in time: the one that was started, or the last that continues it. A
/// server that stops waits no longer.
async fn ended(app: &App, run: &RunId, wait: Duration) -> Result<Option<RunId>, Problem> {
    tokio::select! {
        ended = app.engine.wait(run, wait) => Ok(ended?),
        () = app.closing() => Ok(None),
    }
}

/// The flow's result as it is. How a run failed is not for senders: they get its id.
async fn result(app: &App, run: &RunId) -> Result<Response, Problem> {
    let view = app.engine.run(run).await?;
    let state = view.summary.state;
    let (RunState::Succeeded, Some(result)) = (state, view.result.as_deref()) else {
        let message = format!("run {run} {}", state.as_str());
        return Err(Problem::new(Code::WebhookRunFailed, message));
    };
    let mut response = Json(crate::view::json(result)?).into_response();
    if let Ok(id) = HeaderValue::try_from(run.as_str()) {
        response.headers_mut().insert(RUN, id);
    }
    Ok(response)
}

//! `POST /api/v1/workspaces/{workspace}/flows/{flow}/runs`

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use signalbox_core::ids::FlowRef;
use signalbox_core::{RunId, Value, WorkspaceName, value};
use signalbox_engine::StartRequest;
use utoipa::ToSchema;

use super::{nothing_live, parse};
use crate::app::App;
use crate::body::Body;
use crate::problem::{PROBLEM_JSON, Problem, ProblemBody};
use crate::query::{Path, Query, Wait};
use crate::view::run::RunJson;

/// A run that is asked for.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct StartRun {
    /// The flow's inputs; nothing is rounded: integers that do not fit into 64 bits are refused.
    // Kept as text until `core` reads it: the JSON reader here would make floats of them.
    #[schema(value_type = Option<Object>)]
    inputs: Option<Box<RawValue>>,
    /// The same key with the same inputs starts one run only, for seven days; 1 to 200 characters.
    /// The header `Idempotency-Key` says the same.
    idempotency_key: Option<String>,
}

/// Whether to wait.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct StartQuery {
    /// Wait for the run to end, at most so many seconds; at most 300.
    #[param(value_type = Option<u64>)]
    wait: Option<Wait>,
}

/// A run that was accepted.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Started {
    /// Its id.
    pub(crate) id: String,
}

/// Start a run. When this answers, the run is durable.
#[utoipa::path(
    post, path = "/api/v1/workspaces/{workspace}/flows/{flow}/runs", tag = "runs",
    request_body = StartRun,
    params(
        ("workspace" = String, Path, description = "The workspace's name"),
        ("flow" = String, Path, description = "The flow's name, with its slashes or with `%2F`"),
        StartQuery,
        ("Idempotency-Key" = Option<String>, Header, description = "As in the body"),
    ),
    responses(
        (status = 200, description = "It ended within `wait`: the whole run, or the last one that continues it", body = RunJson),
        (status = 202, description = "It was accepted", body = Started),
        (status = 404, description = "There is no such flow", body = ProblemBody, content_type = PROBLEM_JSON),
        (status = 409, description = "The key was used with other inputs, or nothing of the \
            workspace is live", body = ProblemBody, content_type = PROBLEM_JSON),
        (status = 422, description = "The flow does not take these inputs", body = ProblemBody, content_type = PROBLEM_JSON),
        (status = 429, description = "The workspace's queue is full", body = ProblemBody, content_type = PROBLEM_JSON),
        (status = 503, description = "The runner is stopping or its disk is full",
            body = ProblemBody, content_type = PROBLEM_JSON),
    ),
)]
pub(crate) async fn start_run(
    State(app): State<App>,
    Path((workspace, rest)): Path<(WorkspaceName, String)>,
    Query(query): Query<StartQuery>,
    headers: HeaderMap,
    Body(request): Body<StartRun>,
) -> Result<Response, Problem> {
    let flow = rest
        .strip_suffix("/runs")
        .ok_or_else(|| Problem::not_found("runs of a flow are started at `/flows/{flow}/runs`"))?;
    let flow = FlowRef { workspace, flow: parse(flow)? };
    let idempotency_key = one_key(&headers, request.idempotency_key)?;
    let inputs = inputs(request.inputs.as_deref())?;
    if app.engine.live().find(&flow.workspace).is_none() {
        return Err(nothing_live(&app.engine.live(), &flow.workspace));
    }
    let started = app.engine.start(StartRequest { flow, inputs, idempotency_key }).await?;
    match query.wait {
        Some(Wait(wait)) => match ended(&app, &started.run, wait).await? {
            Some(last) => {
                let run = app.engine.run(&last).await?;
                let why = app.engine.why(&run).await?;
                Ok(Json(RunJson::try_from(&run)?.because(why.as_ref())).into_response())
            }
            None => Ok(accepted(&started.run)),
        },
        None => Ok(accepted(&started.run)),
    }
}

/// The answer that names an accepted run.
pub(crate) fn accepted(run: &RunId) -> Response {
    let body = Json(Started { id: run.to_string() });
    let mut response = (StatusCode::ACCEPTED, body).into_response();
    // Ids are header-safe by their shape.
    if let Ok(place) = HeaderValue::try_from(format!("/api/v1/runs/{run}")) {
        response.headers_mut().insert(header::LOCATION, place);
    }
    response
}

/// The run that ended last in time: the one that was started, or the last that continues it. A
/// server that stops waits no longer.
async fn ended(
    app: &App,
    run: &RunId,
    wait: std::time::Duration,
) -> Result<Option<RunId>, Problem> {
    tokio::select! {
        ended = app.engine.wait(run, wait) => Ok(ended?),
        () = app.closing() => Ok(None),
    }
}

fn inputs(raw: Option<&RawValue>) -> Result<Value, Problem> {
    let Some(raw) = raw else { return Ok(Value::Map(std::collections::BTreeMap::new())) };
    value::from_json_str(raw.get())
        .map_err(|error| Problem::bad_request(format!("`inputs` cannot be taken: {error}")))
}

fn one_key(headers: &HeaderMap, in_body: Option<String>) -> Result<Option<String>, Problem> {
    let Some(in_header) = headers.get("idempotency-key") else { return Ok(in_body) };
    let key = in_header
        .to_str()
        .map_err(|_| Problem::bad_request("`Idempotency-Key` is not plain text"))?;
    match in_body {
        Some(other) if other != key => {
            Err(Problem::bad_request("header and body give different idempotency keys"))
        }
        _ => Ok(Some(key.to_owned())),
    }
}

//! `POST /api/v1/runs/{run}/rerun`

use std::collections::BTreeMap;

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use serde_json::value::RawValue;
use signalbox_core::value::from_json_str;
use signalbox_core::{RunId, Value};
use utoipa::ToSchema;

use crate::api::flows::start::{Started, accepted};
use crate::app::App;
use crate::body::Body;
use crate::problem::{PROBLEM_JSON, Problem, ProblemBody};
use crate::query::Path;

/// How to run again.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RerunRequest {
    /// At the live revision, instead of the run's own.
    #[serde(default)]
    newest: bool,
    /// The step to begin with: results of the steps before it are taken over; those that have none
    /// are executed again.
    from: Option<String>,
    /// All inputs, instead of the run's own.
    // Kept as text until `core` reads it: the JSON reader here would make floats of them.
    #[schema(value_type = Option<Object>)]
    inputs: Option<Box<RawValue>>,
    /// Inputs to set beside the others.
    #[schema(value_type = Option<Object>)]
    changes: Option<Box<RawValue>>,
}

/// Start an ended run again: whole or from a step, with the same or with other inputs. A failed one
/// is no dead letter any more.
#[utoipa::path(
    post, path = "/api/v1/runs/{run}/rerun", tag = "runs", request_body = RerunRequest,
    params(("run" = String, Path, description = "Its id")),
    responses(
        (status = 202, description = "The new run was accepted", body = Started),
        (status = 404, description = "There is none with that id, or no such step", body = ProblemBody, content_type = PROBLEM_JSON),
        (status = 409, description = "It has not ended", body = ProblemBody, content_type = PROBLEM_JSON),
        (status = 422, description = "The flow no longer takes these inputs", body = ProblemBody, content_type = PROBLEM_JSON),
    ),
)]
pub(crate) async fn rerun_run(
    State(app): State<App>,
    Path(id): Path<RunId>,
    Body(request): Body<RerunRequest>,
) -> Result<Response, Problem> {
    let RerunRequest { newest, from, inputs, changes } = request;
    let changes = match read("changes", changes.as_deref())? {
        None => BTreeMap::new(),
        Some(Value::Map(changes)) => changes,
        Some(_) => return Err(Problem::bad_request("`changes` is an object")),
    };
    let inputs = read("inputs", inputs.as_deref())?;
    let request = signalbox_engine::RerunRequest { run: id, newest, from, inputs, changes };
    Ok(accepted(&app.engine.rerun(request).await?))
}

fn read(name: &str, raw: Option<&RawValue>) -> Result<Option<Value>, Problem> {
    let read = raw.map(|raw| from_json_str(raw.get())).transpose();
    read.map_err(|error| Problem::bad_request(format!("`{name}` cannot be taken: {error}")))
}

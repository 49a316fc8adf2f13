//! `GET /api/v1/runs/{run}/journal`

use axum::Json;
use axum::extract::State;
use signalbox_core::RunId;
use signalbox_core::value::DecodeError;

use crate::app::App;
use crate::problem::{PROBLEM_JSON, Problem, ProblemBody};
use crate::query::{List, Part, Path, Query};
use crate::view::journal::EntryJson;

/// The effects of a run and what came of them, in order: the first one first.
#[utoipa::path(
    get, path = "/api/v1/runs/{run}/journal", tag = "runs",
    params(("run" = String, Path, description = "Its id"), Part),
    responses(
        (status = 200, description = "Entries", body = List<EntryJson>),
        (status = "4XX", description = "There is none with that id", body = ProblemBody, content_type = PROBLEM_JSON),
    ),
)]
pub(crate) async fn get_journal(
    State(app): State<App>,
    Path(id): Path<RunId>,
    Query(part): Query<Part>,
) -> Result<Json<List<EntryJson>>, Problem> {
    let store = app.engine.store();
    // A run without a journal and no run at all look the same in the journal.
    store.run(&id).await?;
    let entries = store.journal(&id).await?;
    let List { items, next } = List::part_of(entries.iter(), &part, EntryJson::try_from);
    let items = items.into_iter().collect::<Result<_, DecodeError>>()?;
    Ok(Json(List { items, next }))
}

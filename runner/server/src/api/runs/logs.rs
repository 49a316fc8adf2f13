//! `GET /api/v1/runs/{run}/logs`

use std::collections::VecDeque;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response, sse};
use serde::Deserialize;
use signalbox_core::RunId;
use signalbox_core::journal::LogLine;
use signalbox_core::run::State as RunState;
use signalbox_engine::{Event, EventKind};
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};

use crate::api::events::last_event_id;
use crate::app::App;
use crate::problem::{PROBLEM_JSON, Problem, ProblemBody};
use crate::query::{Cursor, Limit, List, Part, Path, Query};
use crate::sse::{Feed, event, stream};
use crate::view::journal::LogLineJson;

/// Which lines, and how.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct LogQuery {
    /// Follow the run as server-sent events: `log` for each line, and `end` with the run's state
    /// when it ended.
    #[serde(default)]
    follow: bool,
    /// At most so many lines, 1 to 1,000. Not with `follow`.
    #[param(value_type = Option<u64>)]
    limit: Option<Limit>,
    /// `next` of the part before. Not with `follow`.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor>,
}

/// The log lines of a run in the order they were written.
#[utoipa::path(
    get, path = "/api/v1/runs/{run}/logs", tag = "runs",
    params(("run" = String, Path, description = "Its id"), LogQuery),
    responses(
        (status = 200, description = "Lines; with `follow` as `text/event-stream`",
            body = List<LogLineJson>),
        (status = "4XX", description = "There is none with that id", body = ProblemBody, content_type = PROBLEM_JSON),
    ),
)]
pub(crate) async fn get_logs(
    State(app): State<App>,
    headers: HeaderMap,
    Path(id): Path<RunId>,
    Query(query): Query<LogQuery>,
) -> Result<Response, Problem> {
    if query.follow {
        return follow(app, id, &headers).await;
    }
    let store = app.engine.store();
    store.run(&id).await?;
    let chunks = store.chunks(&id, 0).await?;
    let lines: Vec<LogLine> = chunks.into_iter().flat_map(|(_, chunk)| chunk.logs).collect();
    let part = Part { limit: query.limit, cursor: query.cursor };
    let list: List<LogLineJson> = List::part_of(lines.iter(), &part, Into::into);
    Ok(Json(list).into_response())
}

async fn follow(app: App, run: RunId, headers: &HeaderMap) -> Result<Response, Problem> {
    let seen = last_event_id(headers)?.unwrap_or(0);
    let seen = u32::try_from(seen)
        .map_err(|_| Problem::bad_request("`Last-Event-ID` is not one of this stream"))?;
    // Listening begins before the first look, so that nothing falls between the two.
    let events = app.engine.events(None).receiver;
    let state = app.engine.store().run(&run).await?.summary.state;
    let lines = VecDeque::new();
    let feed = Follow { app: app.clone(), run, state, seen, lines, events, at: At::Look };
    Ok(stream(app, feed))
}

/// Follows the log of a run from chunk to chunk; an event's id is the number of its chunk.
struct Follow {
    app: App,
    run: RunId,
    state: RunState,
    /// The last chunk that was read.
    seen: u32,
    lines: VecDeque<(u32, LogLine)>,
    events: broadcast::Receiver<Arc<Event>>,
    at: At,
}

/// What a follower does when it has no more lines.
enum At {
    /// Reads what is new in the store.
    Look,
    /// Waits for something to happen to the run.
    Wait,
    /// Says that the run ended.
    Ending,
    /// Has said so.
    Done,
}

impl Feed for Follow {
    async fn next(&mut self) -> Option<sse::Event> {
        loop {
            if let Some((chunk, line)) = self.lines.pop_front() {
                return Some(self.line(chunk, &line));
            }
            self.at = match self.at {
                At::Look => {
                    // The state is from before the look: an ended run has written everything.
                    let ended = self.state.is_terminal();
                    self.look().await?;
                    if ended { At::Ending } else { At::Wait }
                }
                At::Wait => {
                    self.wait().await?;
                    At::Look
                }
                At::Ending => {
                    self.at = At::Done;
                    let state = serde_json::json!({ "state": self.state.as_str() });
                    return Some(event("end", &state));
                }
                At::Done => return None,
            };
        }
    }
}

impl Follow {
    /// Only the last line of a chunk carries its number: a client that comes back from within a
    /// chunk reads it again.
    fn line(&self, chunk: u32, line: &LogLine) -> sse::Event {
        let event = event("log", &LogLineJson::from(line));
        let is_last = self.lines.front().is_none_or(|(next, _)| *next != chunk);
        if is_last { event.id(chunk.to_string()) } else { event }
    }

    /// Reads what was written since the last look; `None` when that fails.
    async fn look(&mut self) -> Option<()> {
        let chunks = self.app.engine.store().chunks(&self.run, self.seen).await;
        let chunks = chunks
            .inspect_err(|error| tracing::warn!(%error, run = %self.run, "failed to follow a log"))
            .ok()?;
        for (number, chunk) in chunks {
            self.seen = self.seen.max(number);
            self.lines.extend(chunk.logs.into_iter().map(|line| (number, line)));
        }
        Some(())
    }

    /// Waits until something happened to the run, and takes in all that did; `None` when nothing
    /// can happen any more.
    async fn wait(&mut self) -> Option<()> {
        loop {
            match self.events.recv().await {
                Ok(event) => {
                    if self.take(&event) {
                        break;
                    }
                }
                Err(RecvError::Lagged(_)) => return self.catch_up().await,
                Err(RecvError::Closed) => return None,
            }
        }
        loop {
            match self.events.try_recv() {
                Ok(event) => drop(self.take(&event)),
                Err(TryRecvError::Lagged(_)) => return self.catch_up().await,
                // A closed channel is met again by the next wait.
                Err(TryRecvError::Empty | TryRecvError::Closed) => return Some(()),
            }
        }
    }

    /// Whether an event is about the run.
    fn take(&mut self, event: &Event) -> bool {
        if event.kind.run() != Some(&self.run) {
            return false;
        }
        if let EventKind::Run { state, .. } = event.kind {
            self.state = state;
        }
        true
    }

    /// Events were missed: the store knows the state.
    async fn catch_up(&mut self) -> Option<()> {
        self.state = self.app.engine.store().run(&self.run).await.ok()?.summary.state;
        Some(())
    }
}

//! `/schedules`: what fires when, what came of it last, and what is paused.

use std::collections::HashMap;

use axum::extract::State;
use axum::response::Html;
use maud::{Markup, html};
use signalbox_core::clock::Timestamp;
use signalbox_core::run::Trigger;
use signalbox_engine::ScheduleView;
use signalbox_store::contract::{RunFilter, RunSummary};

use super::layout::{Place, page};
use super::parts::{run_link, run_state, time};
use super::shown::shown;
use crate::app::App;
use crate::problem::Problem;
use crate::view::schedule::expression;

/// The last run of a schedule is looked for among so many of the newest.
const RUNS: usize = 1_000;

/// The newest run of each schedule, by workspace, flow and identity.
type Last<'a> = HashMap<(&'a str, &'a str, &'a str), (&'a RunSummary, Timestamp)>;

/// The page.
pub(super) async fn schedules(State(app): State<App>) -> Result<Html<String>, Problem> {
    let all = app.engine.schedules().await?;
    let store = app.engine.store();
    let runs = store.runs(RunFilter { limit: RUNS, ..RunFilter::default() }).await?.items;
    let last = last(&runs);
    let body = html! {
        section {
            h2 { "Schedules" }
            @if all.is_empty() { p.dim { "No live flow has one." } } @else {
                table {
                    thead { tr { th { "Flow" } th { "Fires" } th { "Zone" } th { "Next" } th { "Last run" } } }
                    tbody { @for one in &all { (row(one, &last)) } }
                }
            }
        }
        footer.dim {
            "Times are UTC, slots are read in their zone · the last run is one of the newest "
            (RUNS) " of the runner"
        }
    };
    let place = Place { root: "", events: Some("api/v1/events") };
    Ok(super::html(page("Schedules", place, &body)))
}

/// Runs come newest first.
fn last(runs: &[RunSummary]) -> Last<'_> {
    let mut last = Last::new();
    for run in runs {
        if let Trigger::Schedule { schedule, slot } = &run.trigger {
            let key = (run.workspace.as_str(), run.flow.as_str(), schedule.as_str());
            last.entry(key).or_insert((run, *slot));
        }
    }
    last
}

fn row(view: &ScheduleView, last: &Last<'_>) -> Markup {
    let (cron, at) = expression(&view.schedule);
    let key = (view.flow.workspace.as_str(), view.flow.flow.as_str(), view.id.as_str());
    html! {
        tr {
            td {
                (view.flow)
                @if let Some(name) = &view.schedule.name { " " span.dim { (shown(name)) } }
            }
            td {
                code { (shown(&cron.or(at).unwrap_or_default())) } " "
                span.dim { (shown(&view.description)) (unless(view)) }
            }
            td { (shown(&view.schedule.timezone)) }
            td { (next(view)) }
            td {
                @if let Some((run, slot)) = last.get(&key) {
                    (run_link("", &run.id)) " " (run_state(run)) " " span.dim { "of " (time(*slot)) }
                }
            }
        }
    }
}

/// What keeps single slots from firing.
fn unless(view: &ScheduleView) -> Markup {
    html! {
        @if let Some(calendar) = &view.schedule.calendar { " · calendar " (shown(calendar)) }
        @if let Some(dynamic) = &view.schedule.dynamic { " · if " code { (shown(&dynamic.code)) } }
    }
}

fn next(view: &ScheduleView) -> Markup {
    html! {
        @match (view.paused_at, view.workspace_paused_at, view.next) {
            (Some(at), ..) => { span.state.paused { "paused" } " since " (time(at)) },
            (None, Some(at), _) => {
                span.state.paused { "paused" } " with its workspace since " (time(at))
            },
            (None, None, Some(at)) => (time(at)),
            (None, None, None) => span.dim { "never again" },
        }
    }
}

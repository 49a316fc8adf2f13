//! `/`: workspaces, runs, calls, and what fires next.

use axum::extract::State;
use axum::response::Html;
use maud::{Markup, html};
use signalbox_core::WorkspaceName;
use signalbox_engine::{Live, NextSlot};
use signalbox_store::contract::{
    CallDecision, CallFilter, CallView, DeploymentOutcome, RunFilter, RunSummary,
};

use super::layout::{Place, page};
use super::parts::{duration, run_error, run_link, run_state, state, time, trigger};
use super::shown::shown;
use super::{diagnostic, health};
use crate::app::App;
use crate::problem::Problem;
use crate::view::workspace::{Standing, names};

/// How many runs the page shows.
const RUNS: usize = 25;
/// How many calls.
const CALLS: usize = 15;
/// How many slots.
const SLOTS: usize = 8;

/// The overview.
pub(super) async fn overview(State(app): State<App>) -> Result<Html<String>, Problem> {
    let store = app.engine.store();
    let runs = store.runs(RunFilter { limit: RUNS, ..RunFilter::default() }).await?;
    let calls = store.calls(CallFilter { limit: CALLS, ..CallFilter::default() }).await?;
    let slots = app.engine.next_slots(SLOTS);
    let live = app.engine.live();
    let alarms = app.engine.alarms();
    let measured = app.engine.measured();
    let health = |name: &WorkspaceName| health::part(name, measured.get(name), &alarms);
    let body = html! {
        @if !live.root_faults.is_empty() {
            section { h2 { "The source" } (diagnostic::list(&live.root_faults)) }
        }
        section {
            h2 { "Workspaces" }
            @if app.engine.has_started() { (workspaces(&live, health)) } @else {
                p.dim { "Starting: the repository is read for the first time." }
            }
        }
        section { h2 { "Latest runs" } (runs_table(&runs.items)) }
        section { h2 { "Latest calls" } (calls_table(&calls.items)) }
        section { h2 { "Next" } (slots_table(&slots)) }
        footer.dim {
            "Signalbox " (app.version)
            @if let Some(level) = app.engine.isolation() { " · cells isolated at L" (level) }
            " · " a href="api/openapi.json" { "API" } " · times are UTC"
        }
    };
    let place = Place { root: "", events: Some("api/v1/events") };
    Ok(super::html(page("Overview", place, &body)))
}

fn workspaces(live: &Live, health: impl Fn(&WorkspaceName) -> Markup) -> Markup {
    let names = names(live);
    html! {
        @if names.is_empty() { p.dim { "Nothing is live yet." } }
        @for name in names { (workspace(live, name, &health(name))) }
    }
}

fn workspace(live: &Live, name: &WorkspaceName, health: &Markup) -> Markup {
    let held = live.find(name);
    let last = live.last.get(name);
    let standing = Standing::of(live, name).as_str();
    html! {
        article.workspace {
            h3 {
                (name) " "
                @if let Some((spec, _)) = held { span.kind { (spec.kind.as_str()) } " " }
                span class={ "standing " (standing) } { (standing.replace('_', " ")) }
            }
            @if let Some((spec, info)) = held {
                @if let Some(text) = &spec.about.description { p { (shown(text)) } }
                p.dim {
                    @if let Some(at) = info.paused_at { "schedules paused since " (time(at)) " · " }
                    "live at " code title=(spec.revision) { (short(spec.revision.as_str())) }
                    " since " (time(info.updated_at)) " · " (count(spec.flows.len(), "flow"))
                }
            }
            (health)
            @if let Some(last) = last {
                p.dim {
                    "last look: "
                    span class={ "outcome " (last.outcome.as_str()) } { (last.outcome.as_str()) }
                    " at " code title=(last.commit) { (short(last.commit.as_str())) }
                    " by " (shown(&last.author)) ", " (time(last.ended_at))
                }
                @if last.outcome == DeploymentOutcome::Rejected && held.is_some() {
                    p { "The last good revision still runs." }
                }
                (diagnostic::list(&last.diagnostics))
            }
        }
    }
}

fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

fn short(revision: &str) -> &str {
    revision.get(..10).unwrap_or(revision)
}

fn runs_table(runs: &[RunSummary]) -> Markup {
    html! {
        @if runs.is_empty() { p.dim { "No run yet." } } @else {
            table {
                thead { tr { th { "Run" } th { "Flow" } th { "State" } th { "Accepted" } th.number { "Took" } th { "Trigger" } } }
                tbody { @for run in runs { (run_row(run)) } }
            }
        }
    }
}

fn run_row(run: &RunSummary) -> Markup {
    html! {
        tr {
            td { (run_link("", &run.id)) }
            td { (run.workspace) "/" (run.flow) }
            td { (run_state(run)) }
            td { (time(run.queued_at)) }
            td.number { (duration(run.started_at, run.ended_at)) }
            td { (trigger("", &run.trigger)) }
        }
        @if let Some(error) = &run.error { tr.detail { td {} td colspan="5" { (run_error(error)) } } }
    }
}

fn calls_table(calls: &[CallView]) -> Markup {
    html! {
        @if calls.is_empty() { p.dim { "No call yet." } } @else {
            table {
                thead { tr { th { "When" } th { "Decision" } th { "Rule" } th { "Caller" } th { "Target" } th { "Run" } } }
                tbody { @for call in calls { (call_row(call)) } }
            }
        }
    }
}

fn call_row(call: &CallView) -> Markup {
    let record = &call.record;
    let class = match record.decision {
        CallDecision::Allowed => "succeeded",
        CallDecision::Refused => "failed",
    };
    html! {
        tr {
            td { (time(record.at)) }
            td { span class={ "state " (class) } { (record.decision.as_str()) } }
            td { (record.rule.as_str()) }
            td { (record.caller) " " @if let Some(run) = &record.caller_run { (run_link("", run)) } @else { span.dim { "alarm" } } }
            td {
                (shown(&record.target))
                @if let Some((workspace, flow)) = &record.callee {
                    span.dim { " → " (workspace) "/" (flow) }
                }
            }
            td {
                @if let Some(run) = &call.run { (run_link("", run)) " " }
                @if let Some(of) = call.state { (state(of)) }
            }
        }
    }
}

fn slots_table(slots: &[NextSlot]) -> Markup {
    html! {
        @if slots.is_empty() { p.dim { "No schedule fires." } } @else {
            table {
                thead { tr { th { "When" } th { "Flow" } } }
                tbody { @for slot in slots { tr { td { (time(slot.at)) } td { (slot.flow) } } } }
            }
        }
    }
}

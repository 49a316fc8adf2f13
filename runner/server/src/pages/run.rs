//! `/runs/{run}`: one run.

use std::time::Duration;

use axum::extract::State;
use axum::response::Html;
use maud::{Markup, html};
use signalbox_core::RunId;
use signalbox_core::journal::{Entry, LogLine, Outcome};
use signalbox_core::run::StepRecord;
use signalbox_core::value;
use signalbox_store::contract::RunView;

use super::layout::{Place, page};
use super::parts::{duration, run_error, run_link, run_state, span, state, time, trigger};
use super::shown::shown;
use crate::app::App;
use crate::problem::Problem;
use crate::query::Path;
use crate::view::journal::level;

/// Most log lines and journal entries that the page shows; the API has all.
const MOST: usize = 1000;
/// Most characters of one value.
const MOST_TEXT: usize = 10_000;
/// From this page to the root.
const ROOT: &str = "../";

/// One run.
pub(super) async fn run(
    State(app): State<App>,
    Path(id): Path<RunId>,
) -> Result<Html<String>, Problem> {
    let store = app.engine.store();
    let run = app.engine.run(&id).await?;
    let why = app.engine.why(&run).await?;
    let journal = store.journal(&id).await?;
    let chunks = store.chunks(&id, 0).await?;
    let lines: Vec<_> = chunks.into_iter().flat_map(|(_, chunk)| chunk.logs).collect();
    let summary = &run.summary;
    let body = html! {
        h2 { (summary.workspace) "/" (summary.flow) " " (run_state(summary)) }
        @if let Some(why) = &why { p { b { "Why it does not run: " } (shown(&why.words())) "." } }
        (facts(&run))
        @if let Some(error) = &summary.error { p { (run_error(error)) } }
        @if !run.steps.is_empty() { section { h3 { "Steps" } (steps(&run.steps)) } }
        section { h3 { "Log" } (log(&lines)) }
        section { h3 { "Inputs" } (canonical(&run.inputs)) }
        @if let Some(result) = &run.result { section { h3 { "Result" } (canonical(result)) } }
        section { h3 { "Journal" } (effects(&journal)) }
    };
    let events = format!("api/v1/events?run={id}");
    let events = (!summary.state.is_terminal()).then_some(events.as_str());
    let title = format!("{}/{}", summary.workspace, summary.flow);
    Ok(super::html(page(&title, Place { root: ROOT, events }, &body)))
}

fn facts(run: &RunView) -> Markup {
    let summary = &run.summary;
    html! {
        dl {
            dt { "Run" } dd { code { (summary.id) } }
            @if let Some(reason) = summary.reason { dt { "Reason" } dd { (reason.as_str()) } }
            dt { "Trigger" } dd { (trigger(ROOT, &summary.trigger)) }
            dt { "Revision" } dd { code { (summary.revision) } " (" (summary.deployment) ")" }
            dt { "Accepted" } dd { (time(summary.queued_at)) }
            @if let Some(started) = summary.started_at { dt { "Started" } dd { (time(started)) } }
            @if let Some(ended) = summary.ended_at {
                dt { "Ended" }
                dd { (time(ended)) " after " (duration(summary.started_at, summary.ended_at)) }
            }
            @if let Some(key) = run.turn.key.as_ref().filter(|key| !key.is_empty()) {
                dt { "Key" } dd { code { (shown(key)) } }
            }
            @if summary.attempt > 1 { dt { "Attempt" } dd { (summary.attempt) } }
            @if let Some(level) = summary.isolation { dt { "Isolation" } dd { "L" (level) } }
            @if !run.waits_for.is_empty() {
                dt { "Waits for" }
                dd { @for other in &run.waits_for { (run_link(ROOT, other)) " " } }
            }
            @if let Some(successor) = &run.successor {
                dt { "Continued by" } dd { (run_link(ROOT, successor)) }
            }
            @if let Some(deadline) = run.deadline { dt { "Deadline" } dd { (time(deadline)) } }
            @if let Some(at) = run.dealt_at { dt { "Dealt with" } dd { (time(at)) } }
            @if !run.chain.is_empty() {
                dt { "Called through" } dd { @for flow in &run.chain { (flow) " → " } "this" }
            }
        }
    }
}

fn steps(steps: &[StepRecord]) -> Markup {
    html! {
        table {
            thead { tr { th { "Step" } th { "State" } th { "Started" } th.number { "Took" } th { "" } } }
            tbody {
                @for step in steps {
                    tr {
                        td { (shown(&step.id)) @if step.attempt > 1 { " (attempt " (step.attempt) ")" } }
                        td { (state(step.state)) }
                        td { (time(step.started_at)) }
                        td.number { (span(Duration::from_micros(u64::try_from(step.duration_us).unwrap_or(0)))) }
                        td { @if let Some(error) = &step.error { span.error { (shown(error)) } } }
                    }
                }
            }
        }
    }
}

fn log(lines: &[LogLine]) -> Markup {
    let hidden = lines.len().saturating_sub(MOST);
    html! {
        @if lines.is_empty() { p.dim { "Nothing was logged." } }
        @if hidden > 0 { p.dim { (hidden) " earlier lines" } }
        ol.log {
            @for line in &lines[hidden..] {
                li class=(level(line.level)) {
                    (time(line.at)) " " b { (level(line.level)) } " "
                    @if !line.step.is_empty() { span.dim { "[" (shown(&line.step)) "] " } }
                    span.text { (shown(&line.message)) }
                }
            }
        }
    }
}

fn effects(journal: &[Entry]) -> Markup {
    let hidden = journal.len().saturating_sub(MOST);
    html! {
        @if journal.is_empty() { p.dim { "No effect yet." } }
        @if hidden > 0 { p.dim { (hidden) " earlier entries" } }
        ol.journal {
            @for entry in &journal[hidden..] {
                li {
                    (time(entry.at)) " " b { (shown(&entry.kind)) } " "
                    span.dim { (shown(&entry.key.scope)) "#" (entry.key.ordinal) } " "
                    (outcome(&entry.outcome))
                }
            }
        }
    }
}

fn outcome(outcome: &Outcome) -> Markup {
    html! {
        @match outcome {
            Outcome::Pending => span.state.suspended { "pending" },
            Outcome::Done(bytes) => details { summary { "done" } (canonical(bytes)) },
            Outcome::Failed(failure) => {
                span.error { b { (failure.code) } " " (shown(&failure.message)) }
            }
        }
    }
}

/// A value for reading. A page is no place for megabytes.
fn canonical(bytes: &[u8]) -> Markup {
    let text = match value::decode(bytes) {
        Ok(value) => serde_json::to_string_pretty(&value).unwrap_or_else(|error| error.to_string()),
        Err(error) => format!("damaged: {error}"),
    };
    let cut = signalbox_core::journal::cut(text, MOST_TEXT);
    html! { pre { (shown(&cut)) } }
}

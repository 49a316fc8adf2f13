//! Small things that several pages show.

use std::time::Duration;

use maud::{Markup, html};
use signalbox_core::RunId;
use signalbox_core::clock::Timestamp;
use signalbox_core::run::{RunError, State, Trigger};
use signalbox_store::contract::RunSummary;

use super::shown::shown;

/// A moment, to the second; the rest is in its tooltip.
pub(super) fn time(at: Timestamp) -> Markup {
    let exact = at.to_string();
    let short = exact.get(..19).unwrap_or(&exact).replace('T', " ");
    html! { time datetime=(exact) title=(exact) { (short) } }
}

/// How long something took.
pub(super) fn duration(from: Option<Timestamp>, to: Option<Timestamp>) -> Markup {
    let took = from.zip(to).map(|(from, to)| to.since(from));
    html! { @if let Some(took) = took { (span(took)) } }
}

/// A span of time with three digits or so.
pub(super) fn span(took: Duration) -> String {
    match took.as_secs() {
        0 if took.as_millis() < 10 => format!("{:.2} ms", took.as_secs_f64() * 1000.0),
        0 => format!("{} ms", took.as_millis()),
        seconds @ 1..60 => format!("{seconds}.{} s", took.subsec_millis() / 100),
        seconds => format!("{} min {} s", seconds / 60, seconds % 60),
    }
}

/// A state in its colour.
pub(super) fn state(state: State) -> Markup {
    html! { span class={ "state " (state.as_str()) } { (state.as_str()) } }
}

/// A state in its colour, with its reason and the end of a wait.
pub(super) fn run_state(run: &RunSummary) -> Markup {
    html! {
        (state(run.state))
        @if let Some(reason) = run.reason { " " span.dim { (reason.as_str()) } }
        @if let Some(until) = run.until { " " (time(until)) }
    }
}

/// A link to a run.
pub(super) fn run_link(root: &str, run: &RunId) -> Markup {
    // The first digits are a time and the same for neighbours; the last ones tell runs apart.
    let short = run.as_str().rsplit('-').next().unwrap_or_default();
    html! { a.id href={ (root) "runs/" (run) } title=(run) { (short) } }
}

/// What started a run.
pub(super) fn trigger(root: &str, trigger: &Trigger) -> Markup {
    html! {
        @match trigger {
            Trigger::Schedule { slot, .. } => { "schedule " span.dim { (time(*slot)) } }
            Trigger::Call { caller, run, service } => {
                "call by " (caller) " " (run_link(root, run))
                @if let Some(service) = service { span.dim { " as " (shown(service)) } }
            }
            Trigger::Handler { event, flow, of, .. } => {
                (event.as_str().replace('_', " ")) " of " (flow) " " (run_link(root, of))
            }
            Trigger::Alarm { subject, recovered, .. } => {
                (subject.kind().as_str()) " of " (subject) @if *recovered { ", over" }
            }
            Trigger::Webhook { webhook } => { "webhook " span.dim { (shown(webhook)) } }
            Trigger::Api => { "api" }
            Trigger::Retry { of, .. } => { "re-run of " (run_link(root, of)) }
            Trigger::Flow { caller, run } => { "flow " (caller) " " (run_link(root, run)) }
            Trigger::Continue { of, .. } => { "continues " (run_link(root, of)) }
        }
    }
}

/// How a run failed, with its place.
pub(super) fn run_error(error: &RunError) -> Markup {
    html! {
        span.error {
            b { (error.code) } " "
            @if let Some(file) = &error.file {
                code {
                    (shown(file))
                    @if let Some(line) = error.line { ":" (line) }
                    @if let Some(column) = error.column { ":" (column) }
                } " "
            }
            (shown(&error.message))
        }
    }
}

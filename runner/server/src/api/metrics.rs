//! `GET /metrics`

use std::fmt::Write as _;

use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use signalbox_core::alarm::{Raised, Subject};
use signalbox_core::run::State as RunState;
use signalbox_engine::Live;
use signalbox_store::contract::Counts;

use crate::app::App;
use crate::problem::Problem;
use crate::view::workspace::{self, Standing};

/// The media type of Prometheus' text format.
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Numbers for Prometheus.
#[utoipa::path(
    get, path = "/metrics", tag = "runner",
    responses((status = 200, description = "Prometheus' text format", content_type = "text/plain")),
)]
pub(crate) async fn metrics(State(app): State<App>) -> Result<impl IntoResponse, Problem> {
    let counts = app.engine.store().counts().await?;
    let live = app.engine.live();
    let mut text = Exposition::default();
    text.family("signalbox_info", "gauge", "The runner; always 1.");
    text.sample("signalbox_info", &[("version", app.version)], 1);
    workspaces(&mut text, &live);
    runs(&mut text, &live, &counts);
    alarms(&mut text, &live, &app.engine.alarms());
    if let Some(level) = app.engine.isolation() {
        let help = "Isolation level that cells reach on this machine, 0 to 3.";
        text.family("signalbox_isolation_level", "gauge", help);
        text.sample("signalbox_isolation_level", &[], level.into());
    }
    Ok(([(header::CONTENT_TYPE, TEXT)], text.0))
}

fn workspaces(text: &mut Exposition, live: &Live) {
    text.family("signalbox_workspaces", "gauge", "Workspaces by how they stand.");
    for standing in Standing::ALL {
        let all = workspace::names(live).into_iter();
        let count = all.filter(|name| Standing::of(live, name) == standing).count();
        let state = [("state", standing.as_str())];
        text.sample("signalbox_workspaces", &state, count as u64);
    }
    text.family("signalbox_flows", "gauge", "Live flows by workspace.");
    for (name, spec) in &live.catalog.workspaces {
        let count = spec.flows.len() as u64;
        text.sample("signalbox_flows", &[("workspace", name.as_str())], count);
    }
    text.family("signalbox_schedules", "gauge", "Schedules of live flows by workspace.");
    for (name, spec) in &live.catalog.workspaces {
        let count = spec.flows.values().map(|flow| flow.schedules.len() as u64).sum();
        text.sample("signalbox_schedules", &[("workspace", name.as_str())], count);
    }
}

/// What can raise an alarm has a number always, so that an alarm is seen as a change.
fn alarms(text: &mut Exposition, live: &Live, raised: &[Raised]) {
    let is_raised =
        |subject: &Subject| u64::from(raised.iter().any(|alarm| alarm.subject == *subject));
    let help = "Whether the alarm of a workspace's `health` is raised.";
    text.family("signalbox_workspace_unhealthy", "gauge", help);
    for (name, _) in live.catalog.workspaces.iter().filter(|(_, spec)| spec.health.is_some()) {
        let value = is_raised(&Subject::health(name.clone()));
        text.sample("signalbox_workspace_unhealthy", &[("workspace", name.as_str())], value);
    }
    let help = "Whether the alarm of a flow's `absence` is raised.";
    text.family("signalbox_flow_absent", "gauge", help);
    for (name, spec) in &live.catalog.workspaces {
        for (flow, _) in spec.flows.iter().filter(|(_, flow)| flow.absence.is_some()) {
            let value = is_raised(&Subject::absence(name.clone(), flow.clone()));
            let labels = [("workspace", name.as_str()), ("flow", flow.as_str())];
            text.sample("signalbox_flow_absent", &labels, value);
        }
    }
}

/// Live workspaces have a number for every state, so that a first failure is seen as an increase.
fn runs(text: &mut Exposition, live: &Live, counts: &[Counts]) {
    let help = "Runs that the store knows, by workspace and state, history included.";
    text.family("signalbox_runs", "gauge", help);
    let counted = counts.iter().map(|counts| &counts.workspace);
    let mut names: Vec<_> = counted.chain(live.catalog.workspaces.keys()).collect();
    names.sort();
    names.dedup();
    for name in names {
        let of = counts.iter().find(|counts| counts.workspace == *name);
        for state in RunState::ALL {
            let count = of.and_then(|counts| counts.runs.get(&state)).copied().unwrap_or(0);
            let labels = [("workspace", name.as_str()), ("state", state.as_str())];
            text.sample("signalbox_runs", &labels, count);
        }
    }
}

/// Text in Prometheus' format. Label values here are names that need no escaping, by their types,
/// and the version, which is ours.
#[derive(Default)]
struct Exposition(String);

impl Exposition {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a String cannot fail.
        write!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}\n").unwrap_or_default();
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: u64) {
        let labels: Vec<_> =
            labels.iter().map(|(label, value)| format!("{label}=\"{value}\"")).collect();
        let labels =
            if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        writeln!(self.0, "{name}{labels} {value}").unwrap_or_default();
    }
}

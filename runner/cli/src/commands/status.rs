//! `signalbox status`

use std::collections::BTreeMap;

use serde_json::{Value, json};
use signalbox_core::clock::{Clock as _, Timestamp};

use super::health;
use crate::client::{Client, Connect, Request, block_on};
use crate::exit::Exit;
use crate::faults::{self, Fault};
use crate::fields::{list, or_dash, short, text};
use crate::moment::{self, SystemClock};
use crate::table::{self, Column};
use crate::terminal;

/// Show how every workspace is, and every fault
///
/// What is live, what the source wants, how runs went, what fires next, and every alarm.
#[derive(Debug, clap::Args)]
#[command(after_help = "The exit code is 0 when every workspace is live at what the source wants \
(or pinned), and 1 otherwise.")]
pub(crate) struct Args {
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connect: Connect,
}

/// Runs the command.
pub(crate) fn run(args: &Args) -> anyhow::Result<Exit> {
    block_on(async {
        let client = Client::open(&args.connect)?;
        let (workspaces, schedules, source) = tokio::try_join!(
            client.list("/workspaces", &[], usize::MAX),
            client.list("/schedules", &[], usize::MAX),
            client.find(Request::get("/source")),
        )?;
        let document = document(workspaces, &schedules, &source.unwrap_or_default());
        if args.json {
            terminal::json(&document)?;
        } else {
            show(&document, SystemClock.now(), terminal::width())?;
        }
        Ok(Exit::done_if(document["healthy"] == json!(true)))
    })
}

/// The whole answer: every workspace with its next slot, and whether all is well.
fn document(mut workspaces: Vec<Value>, schedules: &[Value], source: &Value) -> Value {
    let next = next_by_workspace(schedules);
    for workspace in &mut workspaces {
        let next = next.get(text(workspace, "/name")).copied();
        workspace["next_fire"] = next.map_or(Value::Null, Clone::clone);
    }
    let diagnostics = list(source, "/diagnostics");
    let root_is_good = !Fault::list(diagnostics).iter().any(Fault::is_error);
    let well = |workspace: &Value| matches!(text(workspace, "/state"), "live" | "pinned");
    json!({
        "healthy": root_is_good && workspaces.iter().all(well),
        "head": source.get("head"),
        "workspaces": workspaces,
        "diagnostics": diagnostics,
    })
}

/// The schedule of each workspace that fires first. Times of RFC 3339 in UTC sort as text.
fn next_by_workspace(schedules: &[Value]) -> BTreeMap<&str, &Value> {
    let mut next: BTreeMap<&str, &Value> = BTreeMap::new();
    for schedule in schedules.iter().filter(|schedule| !text(schedule, "/next_at").is_empty()) {
        let first = next.entry(text(schedule, "/workspace")).or_insert(schedule);
        if text(schedule, "/next_at") < text(first, "/next_at") {
            *first = schedule;
        }
    }
    next
}

fn show(document: &Value, now: Timestamp, width: Option<u16>) -> std::io::Result<()> {
    let workspaces = list(document, "/workspaces");
    if workspaces.is_empty() {
        terminal::say("the source has no workspace yet");
    } else {
        terminal::data(&render(workspaces, now, width))?;
    }
    let alarms: Vec<_> = workspaces.iter().flat_map(|one| health::alarms(one, now)).collect();
    if !alarms.is_empty() {
        terminal::data(&format!("\n{}", alarms.join("\n")))?;
    }
    let found: Vec<_> = list(document, "/diagnostics")
        .iter()
        .chain(workspaces.iter().flat_map(|one| list(one, "/last_deployment/diagnostics")))
        .map(Fault::from_json)
        .collect();
    if !found.is_empty() {
        terminal::data(&format!("\n{}", faults::render(&found)))?;
    }
    Ok(())
}

fn render(workspaces: &[Value], now: Timestamp, width: Option<u16>) -> String {
    let columns = [
        Column::Whole("WORKSPACE"),
        Column::Whole("KIND"),
        Column::Word("STATE"),
        Column::Whole("LIVE"),
        Column::Whole("HEAD"),
        Column::Text("RUNS"),
        Column::Whole("NEXT"),
    ];
    let row = |workspace: &Value| {
        vec![
            or_dash(workspace, "/name"),
            or_dash(workspace, "/kind"),
            state(workspace),
            short(text(workspace, "/live_revision")),
            short(text(workspace, "/wanted_revision")),
            runs(workspace),
            match text(workspace, "/paused_at") {
                "" => moment::relative_text(text(workspace, "/next_fire/next_at"), now),
                _ => "paused".to_owned(),
            },
        ]
    };
    let rows: Vec<_> = workspaces.iter().map(row).collect();
    table::render(&columns, &rows, width)
}

/// `live` or `pinned`; what is not as it should be has the last outcome, which is why.
fn state(workspace: &Value) -> String {
    let state = or_dash(workspace, "/state").replace('_', " ");
    match text(workspace, "/last_deployment/outcome") {
        "" | "deployed" | "unchanged" | "rolled_back" => state,
        outcome => outcome.to_owned(),
    }
}

/// `1 running, 12 ok, 3 failed`: what is under way first, words short.
fn runs(workspace: &Value) -> String {
    let words = [
        ("queued", "queued"),
        ("running", "running"),
        ("suspended", "waiting"),
        ("succeeded", "ok"),
        ("failed", "failed"),
        ("cancelled", "cancelled"),
        ("skipped", "skipped"),
    ];
    let parts: Vec<_> = words
        .into_iter()
        .filter_map(|(state, word)| {
            let count = workspace.pointer(&format!("/counts/runs/{state}"))?.as_u64()?;
            // A number stays on the line of its word.
            (count > 0).then(|| format!("{count}\u{a0}{word}"))
        })
        .collect();
    if parts.is_empty() { "-".to_owned() } else { parts.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn workspace(name: &str, state: &str, last: &str) -> Value {
        json!({
            "name": name, "kind": "domain", "state": state, "live_revision": "0123456789abcdef",
            "wanted_revision": "fedcba9876543210", "last_deployment": { "outcome": last },
            "counts": { "runs": { "running": 1, "succeeded": 1204, "failed": 3 } },
        })
    }

    fn slot(workspace: &str, at: &str) -> Value {
        json!({ "workspace": workspace, "flow": "scan", "next_at": at })
    }

    #[test]
    fn the_table_fits_into_80_columns() {
        let schedules = [
            slot("homeops-financial", "2026-01-01T00:00:09.000000Z"),
            slot("homeops-financial", "2026-01-01T00:00:04.000000Z"),
        ];
        let workspaces = vec![
            workspace("homeops-financial", "live", "unchanged"),
            workspace("homeops-media", "behind", "rejected"),
        ];
        let document = document(workspaces, &schedules, &json!({}));
        let now = moment::parse("2026-01-01T00:00:00Z").unwrap();
        let shown = render(list(&document, "/workspaces"), now, Some(80));
        let shown = anstream::adapter::strip_str(&shown).to_string();
        assert!(shown.lines().all(|line| line.chars().count() <= 80), "{shown}");
        insta::assert_snapshot!(shown);
    }

    #[test]
    fn a_workspace_behind_or_a_broken_root_is_not_healthy() {
        let healthy = |state: &str, root: &Value| {
            document(vec![workspace("a", state, "x")], &[], root)["healthy"] == json!(true)
        };
        let fine = json!({ "diagnostics": [{ "severity": "warning", "message": "m" }] });
        let broken = json!({ "diagnostics": [{ "severity": "error", "message": "m" }] });
        assert!(healthy("live", &fine) && healthy("pinned", &fine));
        assert!(!healthy("behind", &fine) && !healthy("not_live", &fine));
        assert!(!healthy("live", &broken));
    }
}

//! `signalbox health`

use std::time::Duration;

use serde_json::{Value, json};
use signalbox_core::WorkspaceName;
use signalbox_core::clock::{Clock as _, Timestamp};
use signalbox_core::text::duration;

use crate::client::{Client, Connect, Request, block_on};
use crate::exit::Exit;
use crate::fields::{list, number, or_dash, text};
use crate::moment::{self, SystemClock};
use crate::table::{self, Column};
use crate::terminal;

/// Show how runs ended lately, and every alarm
///
/// Counted are runs that succeeded or failed within the window of the workspace's `health`, one hour
/// when it has none.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "The exit code is 0 when no alarm is raised and every threshold is kept, and \
1 otherwise.

Examples:
  signalbox health
  signalbox health homeops-financial
  signalbox health --json | jq '.[].alarms[].message'"
)]
pub(crate) struct Args {
    /// Only this workspace
    #[arg(value_name = "WORKSPACE")]
    workspace: Option<WorkspaceName>,
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
        let names: Vec<String> = if let Some(name) = &args.workspace {
            vec![name.to_string()]
        } else {
            let all = client.list("/workspaces", &[], usize::MAX).await?;
            all.iter().map(|workspace| text(workspace, "/name").to_owned()).collect()
        };
        let mut found = Vec::new();
        for name in names {
            found.push(client.send(Request::get(&format!("/workspaces/{name}/health"))).await?);
        }
        if args.json {
            terminal::json(&Value::Array(found.clone()))?;
        } else if found.is_empty() {
            terminal::say("the source has no workspace yet");
        } else {
            terminal::data(&render(&found, SystemClock.now(), terminal::width()))?;
        }
        Ok(Exit::done_if(found.iter().all(|one| one["healthy"] == json!(true))))
    })
}

fn render(found: &[Value], now: Timestamp, width: Option<u16>) -> String {
    let columns = [
        Column::Whole("WORKSPACE"),
        Column::Word("HEALTH"),
        Column::Number("RUNS"),
        Column::Number("FAILED"),
        Column::Number("ERRORS"),
        Column::Number("AVERAGE"),
        Column::Number("P95"),
        Column::Whole("WITHIN"),
        Column::Whole("LAST SUCCESS"),
    ];
    let row = |one: &Value| {
        vec![
            or_dash(one, "/workspace"),
            if one["healthy"] == json!(true) { "ok" } else { "bad" }.to_owned(),
            number(one, "/runs").unwrap_or_default().to_string(),
            number(one, "/failed").unwrap_or_default().to_string(),
            shown(one, "/error_rate", |rate| format!("{:.1}%", rate * 100.0)),
            shown(one, "/average_duration_ms", millis),
            shown(one, "/p95_duration_ms", millis),
            shown(one, "/window_ms", |millis| {
                duration(&Duration::try_from_secs_f64(millis / 1_000.0).unwrap_or_default())
            }),
            match text(one, "/last_success") {
                "" => "-".to_owned(),
                at => moment::age(at, now),
            },
        ]
    };
    let mut shown = table::render(&columns, &found.iter().map(row).collect::<Vec<_>>(), width);
    let told = |one: &Value| -> Vec<String> {
        let breaches = list(one, "/breaches").iter();
        let breaches = breaches
            .map(|breach| format!("{}: {}", text(one, "/workspace"), text(breach, "/message")));
        // What an alarm says already is not said twice.
        let raised = list(one, "/alarms").iter().any(|alarm| text(alarm, "/kind") == "health");
        alarms(one, now).into_iter().chain(breaches.filter(|_| !raised)).collect()
    };
    let lines: Vec<_> = found.iter().flat_map(told).collect();
    if !lines.is_empty() {
        shown = format!("{shown}\n\n{}", lines.join("\n"));
    }
    shown
}

/// The alarms of a document, one line each.
pub(super) fn alarms(document: &Value, now: Timestamp) -> Vec<String> {
    let line = |alarm: &Value| {
        let age = moment::age(text(alarm, "/since"), now);
        format!("alarm since {age}: {}", table::visible(text(alarm, "/message")))
    };
    list(document, "/alarms").iter().map(line).collect()
}

fn shown(document: &Value, pointer: &str, show: impl Fn(f64) -> String) -> String {
    let value = document.pointer(pointer).and_then(Value::as_f64);
    value.map_or_else(|| "-".to_owned(), show)
}

fn millis(millis: f64) -> String {
    let seconds = millis / 1_000.0;
    match seconds {
        _ if seconds < 1.0 => format!("{millis:.0} ms"),
        _ if seconds < 120.0 => format!("{seconds:.1} s"),
        _ if seconds < 7_200.0 => format!("{:.0} min", seconds / 60.0),
        _ => format!("{:.0} h", seconds / 3_600.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alarm_is_shown_with_its_workspace() {
        let well = json!({
            "workspace": "homeops-platform", "healthy": true, "runs": 1204, "failed": 2,
            "error_rate": 0.0017, "average_duration_ms": 38.2, "p95_duration_ms": 1204.0,
            "window_ms": 3_600_000, "last_success": "2026-01-01T00:00:00.000000Z",
        });
        let alarm = json!({
            "since": "2026-01-01T00:00:00.000000Z",
            "message": "homeops-financial/atom-nightly-scan has not succeeded for 26h",
        });
        let ill = json!({
            "workspace": "homeops-financial", "healthy": false, "runs": 0, "failed": 0,
            "window_ms": 3_600_000, "alarms": [alarm],
        });
        let now = moment::parse("2026-01-01T02:00:00Z").unwrap();
        let shown = render(&[well, ill], now, Some(100));
        let shown = anstream::adapter::strip_str(&shown).to_string();
        assert!(shown.lines().all(|line| line.chars().count() <= 100), "{shown}");
        let rows: Vec<Vec<_>> =
            shown.lines().map(|line| line.split_whitespace().collect()).collect();
        let row = "homeops-platform ok 1204 2 0.2% 38 ms 1.2 s 1h 2h";
        assert_eq!(rows[1].join(" "), row, "{shown}");
        assert_eq!(rows[2].join(" "), "homeops-financial bad 0 0 - - - 1h -", "{shown}");
        let told = "alarm since 2h: homeops-financial/atom-nightly-scan has not succeeded for 26h";
        assert!(shown.ends_with(told), "{shown}");
    }
}

//! `signalbox schedule list`

use serde_json::Value;
use signalbox_core::WorkspaceName;
use signalbox_core::clock::{Clock as _, Timestamp};

use crate::client::{Client, Connect, block_on};
use crate::exit::Exit;
use crate::fields::{or_dash, text};
use crate::moment::{self, SystemClock};
use crate::table::{self, Column};
use crate::terminal;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Only those of this workspace
    #[arg(short, long, value_name = "WS", env = "SIGNALBOX_WORKSPACE", hide_env_values = true)]
    workspace: Option<WorkspaceName>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connect: Connect,
}

pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    block_on(async {
        let client = Client::open(&args.connect)?;
        let mut schedules = client.list("/schedules", &[], usize::MAX).await?;
        if let Some(workspace) = &args.workspace {
            schedules.retain(|schedule| text(schedule, "/workspace") == workspace.as_str());
        }
        if args.json {
            terminal::json(&Value::Array(schedules))?;
            return Ok(Exit::Done);
        }
        let columns = [
            Column::Path("FLOW"),
            Column::Whole("SCHEDULE"),
            Column::Whole("NEXT"),
            Column::Text("ZONE"),
            Column::Text("IN WORDS"),
        ];
        let now = SystemClock.now();
        let rows: Vec<_> = schedules.iter().map(|schedule| row(schedule, now)).collect();
        table::print(&columns, &rows, "no live flow has a schedule")?;
        Ok(Exit::Done)
    })
}

fn row(schedule: &Value, now: Timestamp) -> Vec<String> {
    vec![
        format!("{}/{}", text(schedule, "/workspace"), text(schedule, "/flow")),
        or_dash(schedule, "/id"),
        next(schedule, now),
        or_dash(schedule, "/timezone"),
        text(schedule, "/description").to_owned(),
    ]
}

/// When it fires next, or why it does not.
fn next(schedule: &Value, now: Timestamp) -> String {
    if !text(schedule, "/paused_at").is_empty() {
        return "paused".to_owned();
    }
    if !text(schedule, "/workspace_paused_at").is_empty() {
        return "workspace paused".to_owned();
    }
    match text(schedule, "/next_at") {
        "" => "over".to_owned(),
        at => moment::relative_text(at, now),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_schedule_says_when_it_fires_or_why_it_does_not() {
        let now = moment::parse("2026-01-01T00:00:00Z").unwrap();
        let next = |schedule: Value| next(&schedule, now);
        assert_eq!(next(json!({ "paused_at": "2025-01-01T00:00:00Z" })), "paused");
        let of_workspace = json!({ "workspace_paused_at": "2025-01-01T00:00:00Z" });
        assert_eq!(next(of_workspace), "workspace paused");
        assert_eq!(next(json!({ "next_at": null })), "over");
        let at = "2026-01-01T01:00:00Z";
        assert_eq!(next(json!({ "next_at": at })), moment::relative_text(at, now));
    }
}

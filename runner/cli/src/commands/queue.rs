//! `signalbox queue`

use serde_json::Value;
use signalbox_core::RunId;
use signalbox_core::WorkspaceName;
use signalbox_core::clock::{Clock as _, Timestamp};

use crate::client::{Client, Connect, Request, block_on};
use crate::exit::Exit;
use crate::fields::{list, number, or_dash, text};
use crate::moment::{self, SystemClock};
use crate::table::{self, Column};
use crate::terminal;

/// Show what runs and what waits, by workspace and by key
///
/// What waits is told apart: runs that are ready, and runs that wait for their key (`concurrency`)
/// or for their `debounce`. `signalbox show RUN` says why one run does not run.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  signalbox queue
  signalbox queue -w homeops-platform -n 50
  signalbox queue --json | jq '.[].keys[] | select(.waiting > 0)'")]
pub(crate) struct Args {
    /// Only this workspace
    #[arg(short, long, value_name = "WS", env = "SIGNALBOX_WORKSPACE", hide_env_values = true)]
    workspace: Option<WorkspaceName>,
    /// At most so many runs of each kind in each workspace
    #[arg(short = 'n', long, value_name = "N", default_value_t = 20)]
    limit: usize,
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
        let request = Request::get("/queue")
            .with_some("workspace", args.workspace.as_ref())
            .with("limit", &args.limit.clamp(1, 1_000));
        let answer = client.send(request).await?;
        let queues = list(&answer, "/items").to_vec();
        if args.json {
            terminal::json(&Value::Array(queues))?;
        } else if queues.is_empty() {
            terminal::say("nothing runs and nothing waits");
        } else {
            terminal::data(&render(&queues, SystemClock.now(), terminal::width()))?;
        }
        Ok(Exit::Done)
    })
}

fn render(queues: &[Value], now: Timestamp, width: Option<u16>) -> String {
    let mut parts = vec![workspaces(queues, width)];
    parts.extend(keys(queues, now, width));
    parts.extend(runs(queues, now, width));
    parts.join("\n\n")
}

fn workspaces(queues: &[Value], width: Option<u16>) -> String {
    let columns = [
        Column::Path("WORKSPACE"),
        Column::Number("RUNNING"),
        Column::Number("OF"),
        Column::Number("QUEUED"),
        Column::Number("READY"),
    ];
    let row = |queue: &Value| {
        let count = |pointer| whole(queue, pointer);
        vec![
            or_dash(queue, "/workspace"),
            count("/running"),
            count("/concurrency"),
            count("/queued"),
            count("/ready"),
        ]
    };
    table::render(&columns, &queues.iter().map(row).collect::<Vec<_>>(), width)
}

fn keys(queues: &[Value], now: Timestamp, width: Option<u16>) -> Option<String> {
    let columns = [
        Column::Path("FLOW"),
        Column::Text("KEY"),
        Column::Number("HAVE"),
        Column::Number("OF"),
        Column::Number("WAIT"),
        Column::Whole("OLDEST"),
        Column::Whole("HOLDER"),
    ];
    let of_queue = |queue: &Value| -> Vec<Vec<String>> {
        let workspace = text(queue, "/workspace").to_owned();
        let row = |key: &Value| {
            vec![
                format!("{workspace}/{}", text(key, "/flow")),
                or_dash(key, "/key"),
                list(key, "/holders").len().to_string(),
                whole(key, "/limit"),
                whole(key, "/waiting"),
                age_of(text(key, "/queued/0"), now),
                or_dash(key, "/holders/0"),
            ]
        };
        list(queue, "/keys").iter().map(row).collect()
    };
    let rows: Vec<_> = queues.iter().flat_map(of_queue).collect();
    (!rows.is_empty()).then(|| table::render(&columns, &rows, width))
}

fn runs(queues: &[Value], now: Timestamp, width: Option<u16>) -> Option<String> {
    let columns =
        [Column::Whole("RUN"), Column::Path("FLOW"), Column::Word("STATE"), Column::Whole("AGE")];
    let row = |run: &Value| {
        vec![
            or_dash(run, "/id"),
            format!("{}/{}", text(run, "/workspace"), text(run, "/flow")),
            or_dash(run, "/state"),
            moment::age(text(run, "/queued_at"), now),
        ]
    };
    let both = |queue: &Value| -> Vec<Vec<String>> {
        list(queue, "/runs").iter().chain(list(queue, "/next")).map(row).collect()
    };
    let rows: Vec<_> = queues.iter().flat_map(both).collect();
    (!rows.is_empty()).then(|| table::render(&columns, &rows, width))
}

fn whole(document: &Value, pointer: &str) -> String {
    number(document, pointer).unwrap_or_default().to_string()
}

/// How long ago a run was accepted: its id says when it was made.
fn age_of(run: &str, now: Timestamp) -> String {
    match run.parse::<RunId>() {
        Ok(run) => moment::age(&run.made_at().to_string(), now),
        Err(_) => "-".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_runs_and_waits_is_shown_by_workspace_and_key() {
        let now: Timestamp = Timestamp(1_800_000_060_000_000);
        let run = |number: u64| RunId::from_parts(1_800_000_000_000 + number, [0; 10]).to_string();
        let row = |id: String, state: &str| {
            json!({ "id": id, "workspace": "ops", "flow": "deploy", "state": state,
                    "queued_at": "2027-01-15T08:00:00.000000Z" })
        };
        let queues = [json!({
            "workspace": "ops", "running": 1, "concurrency": 16, "queued": 3, "ready": 1,
            "queue": 200_000, "runs": [row(run(1), "running")], "next": [row(run(4), "queued")],
            "keys": [{ "flow": "deploy", "key": "web", "limit": 1, "holders": [run(1)],
                       "waiting": 2, "queued": [run(2), run(3)] }],
        })];
        let shown = render(&queues, now, Some(120));
        insta::assert_snapshot!(anstream::adapter::strip_str(&shown).to_string());
    }
}

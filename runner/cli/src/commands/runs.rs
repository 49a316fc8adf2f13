//! `signalbox runs`

use serde_json::Value;
use signalbox_core::clock::{Clock as _, Timestamp};
use signalbox_core::ids::FlowRef;
use signalbox_core::run::State;
use signalbox_core::{FlowName, WorkspaceName};

use crate::client::{Client, Connect, block_on};
use crate::commands::show;
use crate::exit::{Exit, Failure};
use crate::fields::{number, or_dash, text};
use crate::moment::{self, SystemClock};
use crate::table::{self, Column};
use crate::terminal;

/// List runs, newest first
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  signalbox runs
  signalbox runs -w homeops-financial --state failed
  signalbox runs -f homeops-platform/monitoring/alert-dispatcher -n 100
  signalbox runs --dead
  signalbox runs --since 1h --json | jq -r '.[].id'")]
pub(crate) struct Args {
    /// Only runs of this workspace
    #[arg(short, long, value_name = "WS", env = "SIGNALBOX_WORKSPACE", hide_env_values = true)]
    workspace: Option<WorkspaceName>,
    /// Only runs of this flow: its name, or WORKSPACE/FLOW
    #[arg(short, long)]
    flow: Option<String>,
    /// Only runs in this state: queued, running, suspended, succeeded, failed, cancelled, skipped
    #[arg(short, long)]
    state: Option<State>,
    /// Only the dead letters: failed runs that nobody has dealt with
    #[arg(long)]
    dead: bool,
    /// Only runs queued since: a time such as 2026-01-31T12:00:00Z, or 15m, 2h for so long ago
    #[arg(long, value_name = "TIME", value_parser = parse_since)]
    since: Option<Timestamp>,
    /// At most so many
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
    let (workspace, flow) = subject(args.workspace.as_ref(), args.flow.as_deref())?;
    block_on(async {
        let filter = [
            ("workspace", workspace.map(|workspace| workspace.to_string())),
            ("flow", flow.map(|flow| flow.to_string())),
            ("state", args.state.map(|state| state.as_str().to_owned())),
            ("dead", args.dead.then(|| "true".to_owned())),
            ("since", args.since.map(|since| since.to_string())),
        ];
        let runs = Client::open(&args.connect)?.list("/runs", &filter, args.limit).await?;
        if args.json {
            terminal::json(&Value::Array(runs))?;
            return Ok(Exit::Done);
        }
        let columns = [
            Column::Whole("RUN"),
            Column::Path("FLOW"),
            Column::Word("STATE"),
            Column::Whole("AGE"),
            Column::Number("TOOK"),
            Column::Text("WHY"),
        ];
        let rows: Vec<_> = runs.iter().map(row).collect();
        table::print(&columns, &rows, "no run matches")?;
        Ok(Exit::Done)
    })
}

fn row(run: &Value) -> Vec<String> {
    vec![
        or_dash(run, "/id"),
        format!("{}/{}", text(run, "/workspace"), text(run, "/flow")),
        state(run),
        moment::age(text(run, "/queued_at"), SystemClock.now()),
        number(run, "/duration_ms").map_or_else(|| "-".to_owned(), moment::measured),
        why(run),
    ]
}

/// `succeeded`, or `suspended waiting_until 2026-03-01 07:00:00Z`.
fn state(run: &Value) -> String {
    match (text(run, "/state"), text(run, "/reason")) {
        ("suspended", reason) => format!("suspended {reason}{}", show::until(run)),
        _ => or_dash(run, "/state"),
    }
}

/// Why a run does not run, or why it failed, in a word or two.
fn why(run: &Value) -> String {
    match text(run, "/why/code") {
        "" => text(run, "/reason").replace('_', " "),
        code => code.replace('_', " "),
    }
}

/// Which workspace and flow are meant: `-f` alone may carry both, when its first part is not part
/// of the flow's name in the workspace of `-w`.
pub(super) fn subject(
    workspace: Option<&WorkspaceName>,
    flow: Option<&str>,
) -> Result<(Option<WorkspaceName>, Option<FlowName>), Failure> {
    let Some(text) = flow else { return Ok((workspace.cloned(), None)) };
    if workspace.is_none()
        && let Ok(FlowRef { workspace, flow }) = text.parse()
    {
        return Ok((Some(workspace), Some(flow)));
    }
    let flow = text.parse::<FlowName>().map_err(|error| Failure::usage(error.to_string()))?;
    Ok((workspace.cloned(), Some(flow)))
}

fn parse_since(text: &str) -> Result<Timestamp, String> {
    if let Some(moment) = moment::parse(text) {
        return Ok(moment);
    }
    let ago = moment::parse_duration(text)
        .map_err(|_| format!("`{text}` is no time: write 2026-01-31T12:00:00Z, 15m or 2h"))?;
    Ok(SystemClock.now().minus(ago))
}

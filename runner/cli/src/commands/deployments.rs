//! `signalbox deployments`

use serde_json::Value;
use signalbox_core::WorkspaceName;
use signalbox_core::clock::Clock as _;

use crate::client::{Client, Connect, block_on};
use crate::exit::Exit;
use crate::fields::{list, or_dash, short, text};
use crate::moment::{self, SystemClock};
use crate::table::{self, Column};
use crate::terminal;

/// List the deployments of a workspace and what became of them
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  signalbox deployments -w homeops-media
  signalbox rollback -w homeops-media --to d12    bring one of them back")]
pub(crate) struct Args {
    /// The workspace
    #[arg(short, long, value_name = "WS", env = "SIGNALBOX_WORKSPACE", hide_env_values = true)]
    workspace: WorkspaceName,
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
    block_on(async {
        let path = format!("/workspaces/{}/deployments", args.workspace);
        let deployments = Client::open(&args.connect)?.list(&path, &[], args.limit).await?;
        if args.json {
            terminal::json(&Value::Array(deployments))?;
            return Ok(Exit::Done);
        }
        let columns = [
            Column::Whole("DEPLOYMENT"),
            Column::Whole("COMMIT"),
            Column::Word("OUTCOME"),
            Column::Whole("WHEN"),
            Column::Text("FLOWS"),
            Column::Text("AUTHOR"),
        ];
        let rows: Vec<_> = deployments.iter().map(row).collect();
        table::print(&columns, &rows, "nothing was deployed to this workspace yet")?;
        Ok(Exit::Done)
    })
}

fn row(deployment: &Value) -> Vec<String> {
    vec![
        or_dash(deployment, "/deployment"),
        short(text(deployment, "/commit")),
        or_dash(deployment, "/outcome"),
        moment::relative_text(text(deployment, "/ended_at"), SystemClock.now()),
        changes(deployment),
        or_dash(deployment, "/author"),
    ]
}

/// `+2 ~1 -3`: flows that are new, changed, gone.
pub(crate) fn changes(deployment: &Value) -> String {
    let signs = [("+", "/added"), ("~", "/changed"), ("-", "/removed")];
    let parts: Vec<_> = signs
        .into_iter()
        .map(|(sign, pointer)| (sign, list(deployment, pointer).len()))
        .filter(|(_, count)| *count > 0)
        .map(|(sign, count)| format!("{sign}{count}"))
        .collect();
    parts.join(" ")
}

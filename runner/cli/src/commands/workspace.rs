//! `signalbox workspace`

use serde_json::Value;

use crate::client::{Client, Connect, block_on};
use crate::exit::Exit;
use crate::fields::{list, or_dash, text};
use crate::table::{self, Column};
use crate::terminal;

/// Look at the workspaces
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// List the workspaces: what they are for and who owns them
    #[command(after_help = "`signalbox status` says how they are.")]
    List(List),
}

#[derive(Debug, clap::Args)]
struct List {
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connect: Connect,
}

/// Runs the command.
pub(crate) fn run(args: &Args) -> anyhow::Result<Exit> {
    let Command::List(args) = &args.command;
    block_on(async {
        let client = Client::open(&args.connect)?;
        let workspaces = client.list("/workspaces", &[], usize::MAX).await?;
        if args.json {
            terminal::json(&Value::Array(workspaces))?;
            return Ok(Exit::Done);
        }
        let columns = [
            Column::Whole("WORKSPACE"),
            Column::Whole("KIND"),
            Column::Whole("ENVIRONMENT"),
            Column::Text("OWNER"),
            Column::Text("TAGS"),
            Column::Text("DESCRIPTION"),
        ];
        let rows: Vec<_> = workspaces.iter().map(row).collect();
        table::print(&columns, &rows, "the source has no workspace yet")?;
        Ok(Exit::Done)
    })
}

fn row(workspace: &Value) -> Vec<String> {
    let tags: Vec<_> = list(workspace, "/tags").iter().filter_map(Value::as_str).collect();
    vec![
        or_dash(workspace, "/name"),
        or_dash(workspace, "/kind"),
        or_dash(workspace, "/environment"),
        or_dash(workspace, "/owner"),
        tags.join(", "),
        text(workspace, "/description").to_owned(),
    ]
}

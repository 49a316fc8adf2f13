//! `signalbox workspace`

use serde_json::{Value, json};
use signalbox_core::WorkspaceName;

use crate::client::{Client, Connect, Request, block_on};
use crate::exit::Exit;
use crate::fields::{flag, list, or_dash, text};
use crate::table::{self, Column};
use crate::terminal;

/// Look at the workspaces, and pause their schedules
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
    /// Pause every schedule of a workspace; calls, webhooks and requests still start its flows
    #[command(after_help = "Example:
  signalbox workspace pause homeops-media")]
    Pause(Pause),
    /// Let the schedules of a workspace go on with their next slots
    #[command(after_help = "Example:
  signalbox workspace resume homeops-media")]
    Resume(Pause),
}

#[derive(Debug, clap::Args)]
struct Pause {
    /// The workspace
    #[arg(value_name = "WS")]
    workspace: WorkspaceName,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connect: Connect,
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
    match &args.command {
        Command::List(args) => list_all(args),
        Command::Pause(args) => change(args, "pause"),
        Command::Resume(args) => change(args, "resume"),
    }
}

fn change(args: &Pause, verb: &str) -> anyhow::Result<Exit> {
    block_on(async {
        let path = format!("/workspaces/{}/{verb}", args.workspace);
        let answer = Client::open(&args.connect)?.send(Request::post(&path, json!({}))).await?;
        if args.json {
            terminal::json(&answer)?;
            return Ok(Exit::Done);
        }
        let what = match (flag(&answer, "/paused"), flag(&answer, "/changed")) {
            (true, true) => "are paused",
            (true, false) => "were paused already",
            (false, true) => "go on",
            (false, false) => "were not paused",
        };
        terminal::say(&format!("the schedules of {} {what}", args.workspace));
        Ok(Exit::Done)
    })
}

fn list_all(args: &List) -> anyhow::Result<Exit> {
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

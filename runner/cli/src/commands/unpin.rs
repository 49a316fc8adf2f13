//! `signalbox unpin`

use serde_json::json;
use signalbox_core::WorkspaceName;

use crate::client::{Client, Connect, Request, block_on};
use crate::exit::Exit;
use crate::terminal;

/// Let a pinned workspace follow the source again
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  signalbox unpin -w homeops-media && signalbox sync --wait")]
pub(crate) struct Args {
    /// The workspace
    #[arg(short, long, value_name = "WS", env = "SIGNALBOX_WORKSPACE", hide_env_values = true)]
    workspace: WorkspaceName,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connect: Connect,
}

/// Runs the command.
pub(crate) fn run(args: &Args) -> anyhow::Result<Exit> {
    block_on(async {
        let path = format!("/workspaces/{}/unpin", args.workspace);
        Client::open(&args.connect)?.send(Request::post(&path, json!({}))).await?;
        if args.json {
            terminal::json(&json!({ "workspace": args.workspace, "pinned": false }))?;
        } else {
            terminal::say(&format!("{} follows the source again", args.workspace));
        }
        Ok(Exit::Done)
    })
}

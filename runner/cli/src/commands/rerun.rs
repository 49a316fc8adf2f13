//! `signalbox rerun`

use serde_json::json;
use signalbox_core::RunId;

use crate::client::{Client, Connect, Request, block_on};
use crate::exit::Exit;
use crate::fields::text;
use crate::terminal;

/// Start an ended run again, with the same inputs
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  signalbox rerun RUN             at the revision that it ran at
  signalbox rerun RUN --newest    at the revision that is live now

Prints the id of the new run.")]
pub(crate) struct Args {
    /// The run's id
    #[arg(value_name = "RUN")]
    run: RunId,
    /// At the live revision instead of its own
    #[arg(long)]
    newest: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connect: Connect,
}

/// Runs the command.
pub(crate) fn run(args: &Args) -> anyhow::Result<Exit> {
    block_on(async {
        let path = format!("/runs/{}/rerun", args.run);
        let body = json!({ "newest": args.newest });
        let answer = Client::open(&args.connect)?.send(Request::post(&path, body)).await?;
        if args.json {
            terminal::json(&answer)?;
        } else {
            terminal::data(text(&answer, "/id"))?;
        }
        Ok(Exit::Done)
    })
}

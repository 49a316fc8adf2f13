//! `signalbox cancel`

use serde_json::json;
use signalbox_core::RunId;

use crate::client::{Client, Connect, Request, block_on};
use crate::exit::Exit;
use crate::terminal;

/// End a run, and the runs that it waits for
#[derive(Debug, clap::Args)]
#[command(
    after_help = "A run that has not begun never will; one that is being evaluated is asked \
to stop, then stopped. `signalbox show RUN` tells when it has ended."
)]
pub(crate) struct Args {
    /// The run's id
    #[arg(value_name = "RUN")]
    run: RunId,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connect: Connect,
}

/// Runs the command.
pub(crate) fn run(args: &Args) -> anyhow::Result<Exit> {
    block_on(async {
        let path = format!("/runs/{}/cancel", args.run);
        Client::open(&args.connect)?.send(Request::post(&path, json!({}))).await?;
        if args.json {
            terminal::json(&json!({ "run": args.run, "cancelling": true }))?;
        } else {
            terminal::say(&format!("asked run {} to end", args.run));
        }
        Ok(Exit::Done)
    })
}

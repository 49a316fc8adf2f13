//! `signalbox dismiss`

use serde_json::{Value, json};
use signalbox_core::RunId;

use super::dead::Dead;
use crate::client::{Client, Connect, Request, block_on};
use crate::exit::Exit;
use crate::terminal;

/// Take a failed run off the dead letters: it was dealt with
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  signalbox dismiss RUN
  signalbox dismiss --dead -w homeops-platform --yes

`signalbox runs --dead` lists the dead letters: failed runs that were not started again and not
dismissed.")]
pub(crate) struct Args {
    /// The run's id
    #[arg(value_name = "RUN", required_unless_present = "dead")]
    run: Option<RunId>,
    #[command(flatten)]
    dead: Dead,
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
        let runs: Vec<Value> = if let Some(run) = &args.run {
            client.send(Request::post(&path(run.as_str()), json!({}))).await?;
            terminal::say(&format!("dismissed run {run}"));
            vec![run.as_str().into()]
        } else {
            let request = |run: &str| (path(run), json!({}));
            let done = args.dead.each(&client, ("dismiss", "dismissed"), request).await?;
            done.into_iter().map(|mut done| done["run"].take()).collect()
        };
        if args.json {
            terminal::json(&json!({ "dismissed": runs }))?;
        }
        Ok(Exit::Done)
    })
}

fn path(run: &str) -> String {
    format!("/runs/{run}/dismiss")
}

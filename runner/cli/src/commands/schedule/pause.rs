//! `signalbox schedule pause` and `signalbox schedule resume`

use serde_json::json;
use signalbox_core::ids::FlowRef;

use crate::client::{Client, Connect, Request, block_on};
use crate::exit::Exit;
use crate::fields::flag;
use crate::terminal;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The flow: `workspace/flow`
    #[arg(value_name = "WORKSPACE/FLOW")]
    flow: FlowRef,
    /// The schedule's name, or its id from `schedule list`; not needed when the flow has only one
    #[arg(value_name = "SCHEDULE")]
    schedule: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connect: Connect,
}

/// What is to be done.
#[derive(Debug, Clone, Copy)]
pub(super) enum Change {
    Pause,
    Resume,
}

pub(super) fn run(args: &Args, change: Change) -> anyhow::Result<Exit> {
    block_on(async {
        let (path, new, old) = match change {
            Change::Pause => ("/schedules/pause", "is paused", "was paused already"),
            Change::Resume => ("/schedules/resume", "goes on", "was not paused"),
        };
        let body = json!({
            "workspace": args.flow.workspace, "flow": args.flow.flow, "schedule": args.schedule,
        });
        let answer = Client::open(&args.connect)?.send(Request::post(path, body)).await?;
        if args.json {
            terminal::json(&answer)?;
        } else {
            let which = args.schedule.as_deref().unwrap_or("the schedule");
            let what = if flag(&answer, "/changed") { new } else { old };
            terminal::say(&format!("{which} of {} {what}", args.flow));
        }
        Ok(Exit::Done)
    })
}

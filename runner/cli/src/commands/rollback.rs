//! `signalbox rollback`

use serde_json::json;
use signalbox_core::{DeploymentId, WorkspaceName};

use crate::client::{Client, Connect, Request, block_on};
use crate::commands::sync::{is_good, line};
use crate::exit::Exit;
use crate::faults::{self, Fault};
use crate::fields::list;
use crate::terminal;

/// Make an earlier deployment of a workspace live again
///
/// The workspace is pinned to it: pushes do not change it until it is unpinned.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  signalbox rollback -w homeops-media             to the last good one before the live one
  signalbox rollback -w homeops-media --to d12    to this one
  signalbox deployments -w homeops-media          which there are
  signalbox unpin -w homeops-media                follow the source again")]
pub(crate) struct Args {
    /// The workspace
    #[arg(short, long, value_name = "WS", env = "SIGNALBOX_WORKSPACE", hide_env_values = true)]
    workspace: WorkspaceName,
    /// The deployment, such as d12
    #[arg(long, value_name = "DEPLOYMENT")]
    to: Option<DeploymentId>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connect: Connect,
}

/// Runs the command.
pub(crate) fn run(args: &Args) -> anyhow::Result<Exit> {
    block_on(async {
        let path = format!("/workspaces/{}/rollback", args.workspace);
        let body = match args.to {
            Some(to) => json!({ "to": to.to_string() }),
            None => json!({}),
        };
        let outcome = Client::open(&args.connect)?.send(Request::post(&path, body)).await?;
        if args.json {
            terminal::json(&outcome)?;
        } else {
            terminal::data(&line(&outcome))?;
            let found = Fault::list(list(&outcome, "/diagnostics"));
            if !found.is_empty() {
                terminal::say(&faults::render(&found));
            }
            terminal::say(&format!(
                "pinned: pushes do not change it until `signalbox unpin -w {}`",
                args.workspace
            ));
        }
        Ok(Exit::done_if(is_good(&outcome)))
    })
}

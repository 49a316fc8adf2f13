//! What can stand on the command line.

use clap::{Parser, Subcommand};

use crate::commands::{
    backup, calls, cancel, completion, deployments, dismiss, doctor, explain, flow, health, logs,
    queue, rerun, rollback, run, runs, schedule, secret, serve, show, status, sync, token, unpin,
    validate, webhook, workspace,
};
use crate::demo;
use crate::terminal::Color;

const AFTER: &str = "\
First steps:
  signalbox demo                           see all of it, with nothing to set up
  signalbox validate .                     check a repository, as the runner would
  signalbox serve --repo .                 run it
  signalbox status                         what is live, and what is wrong
  signalbox run WORKSPACE/FLOW --wait      start a flow and see how it ends

Data goes to stdout, everything else to stderr. Exit codes: 0 done, 1 the run or check failed,
2 usage, 3 configuration, 4 environment, 70 a fault of Signalbox itself.";

/// Runs the automation of a whole git monorepo: folders are workspaces, a push makes them live,
/// and a broker stands between them.
#[derive(Debug, Parser)]
#[command(name = "signalbox", version, after_help = AFTER, max_term_width = 100)]
pub(crate) struct Cli {
    /// When to use colour
    #[arg(
        long,
        global = true,
        value_name = "WHEN",
        default_value = "auto",
        hide_possible_values = true
    )]
    pub(super) color: Color,
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    Demo(demo::Args),
    Serve(serve::Args),
    Validate(validate::Args),
    Status(status::Args),
    Health(health::Args),
    Sync(sync::Args),
    Rollback(rollback::Args),
    Unpin(unpin::Args),
    Deployments(deployments::Args),
    Run(run::Args),
    Runs(runs::Args),
    Show(show::Args),
    Queue(queue::Args),
    Logs(logs::Args),
    Cancel(cancel::Args),
    Rerun(rerun::Args),
    Dismiss(dismiss::Args),
    Workspace(workspace::Args),
    Flow(flow::Args),
    Schedule(schedule::Args),
    Webhook(webhook::Args),
    Calls(calls::Args),
    Secret(secret::Args),
    Token(token::Args),
    Backup(backup::Args),
    Doctor(doctor::Args),
    Explain(explain::Args),
    Completion(completion::Args),
}

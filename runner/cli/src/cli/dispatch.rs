//! From a command line to the command that it means.

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser as _};

use super::args::{Cli, Command};
use crate::commands::{
    backup, calls, cancel, completion, deployments, dismiss, doctor, explain, flow, health, logs,
    queue, rerun, rollback, run, runs, schedule, secret, serve, show, status, sync, token, unpin,
    validate, webhook, workspace,
};
use crate::complete;
use crate::demo;
use crate::exit::Exit;
use crate::report::report;
use crate::terminal;

/// Reads the command line, does what it says, and answers how the process ends.
pub(crate) fn main() -> ExitCode {
    match complete::answer(Cli::command) {
        Ok(false) => {}
        Ok(true) => return Exit::Done.into(),
        Err(error) => {
            error.print().unwrap_or_default();
            return Exit::Usage.into();
        }
    }
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help goes to stdout and ends with 0, a mistake to stderr with 2. Who does not read
            // it is no reason to fail.
            error.print().unwrap_or_default();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    terminal::set_color(cli.color);
    match dispatch(&cli.command) {
        Ok(exit) => exit.into(),
        Err(error) => report(&error).into(),
    }
}

fn dispatch(command: &Command) -> anyhow::Result<Exit> {
    match command {
        Command::Demo(args) => demo::run(args),
        Command::Serve(args) => serve::run(args),
        Command::Validate(args) => validate::run(args),
        Command::Status(args) => status::run(args),
        Command::Sync(args) => sync::run(args),
        Command::Rollback(args) => rollback::run(args),
        Command::Unpin(args) => unpin::run(args),
        Command::Deployments(args) => deployments::run(args),
        Command::Run(args) => run::run(args),
        Command::Runs(args) => runs::run(args),
        Command::Show(args) => show::run(args),
        Command::Health(args) => health::run(args),
        Command::Queue(args) => queue::run(args),
        Command::Logs(args) => logs::run(args),
        Command::Cancel(args) => cancel::run(args),
        Command::Rerun(args) => rerun::run(args),
        Command::Dismiss(args) => dismiss::run(args),
        Command::Workspace(args) => workspace::run(args),
        Command::Flow(args) => flow::run(args),
        Command::Schedule(args) => schedule::run(args),
        Command::Webhook(args) => webhook::run(args),
        Command::Calls(args) => calls::run(args),
        Command::Secret(args) => secret::run(args),
        Command::Token(args) => token::run(args),
        Command::Backup(args) => backup::run(args),
        Command::Doctor(args) => doctor::run(args),
        Command::Explain(args) => explain::run(args),
        Command::Completion(args) => completion::run(args),
    }
}

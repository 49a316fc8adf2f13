//! `signalbox schedule`

mod explain;
mod list;
mod next;
mod pause;

use crate::exit::Exit;

/// Look at schedules, pause them, and say what a cron expression means
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// List every schedule: its name, its slots in words, and whether it is paused
    #[command(after_help = "Examples:
  signalbox schedule list
  signalbox schedule list -w homeops-platform --json")]
    List(list::Args),
    /// List the next slots over all schedules, soonest first
    #[command(after_help = "Examples:
  signalbox schedule next
  signalbox schedule next -n 50 --json")]
    Next(next::Args),
    /// Say in words what a cron expression means, when it fires, and what clock changes do to it;
    /// needs no runner
    #[command(after_help = "Examples:
  signalbox schedule explain '0 7 * * 1-5' --timezone America/New_York
  signalbox schedule explain '30 2 * * *' --timezone Europe/Berlin --from 2026-03-27T12:00
  signalbox schedule explain '*/10 * * * * *'    six fields: the first is seconds")]
    Explain(explain::Args),
    /// Pause a schedule: it does not fire before it is resumed, and owes nothing then
    #[command(after_help = "Examples:
  signalbox schedule pause homeops-platform/monitoring/weekly-system-report
  signalbox schedule pause homeops-platform/monitoring/market-hours open    one of several")]
    Pause(pause::Args),
    /// Let a paused schedule go on with its next slot
    #[command(after_help = "Example:
  signalbox schedule resume homeops-platform/monitoring/weekly-system-report")]
    Resume(pause::Args),
}

/// Runs the command.
pub(crate) fn run(args: &Args) -> anyhow::Result<Exit> {
    match &args.command {
        Command::List(args) => list::run(args),
        Command::Next(args) => next::run(args),
        Command::Explain(args) => explain::run(args),
        Command::Pause(args) => pause::run(args, pause::Change::Pause),
        Command::Resume(args) => pause::run(args, pause::Change::Resume),
    }
}

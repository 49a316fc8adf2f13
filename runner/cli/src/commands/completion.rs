//! `signalbox completion`

use clap_complete::Shell;

use crate::complete;
use crate::exit::Exit;
use crate::terminal;

/// Print what makes a shell complete commands, names and ids
///
/// The shell then asks this program while somebody types. Workspaces, flows, runs, schedules,
/// deployments and secrets' names come from the runner that `SIGNALBOX_SERVER` or --server names;
/// when it does not answer at once, only commands and options are completed.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  source <(signalbox completion bash)         in ~/.bashrc
  source <(signalbox completion zsh)          in ~/.zshrc, behind compinit
  signalbox completion fish | source          in ~/.config/fish/config.fish")]
pub(crate) struct Args {
    /// The shell
    shell: Shell,
}

/// Runs the command.
pub(crate) fn run(args: &Args) -> anyhow::Result<Exit> {
    terminal::data(&complete::registration(&args.shell.to_string())?)?;
    Ok(Exit::Done)
}

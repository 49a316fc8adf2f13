//! `signalbox completion`

use clap_complete::Shell;

use crate::exit::Exit;
use crate::terminal;

/// Print the completions of a shell
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  signalbox completion bash > ~/.local/share/bash-completion/completions/signalbox
  signalbox completion zsh > ~/.zfunc/_signalbox
  signalbox completion fish > ~/.config/fish/completions/signalbox.fish")]
pub(crate) struct Args {
    /// The shell
    shell: Shell,
}

/// Runs the command, for this program.
pub(crate) fn run(args: &Args, mut program: clap::Command) -> anyhow::Result<Exit> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut program, "signalbox", &mut script);
    terminal::data(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Done)
}

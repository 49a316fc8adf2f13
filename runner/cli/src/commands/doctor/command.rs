//! The command.

use std::time::Duration;

use serde_json::json;

use super::check::{Check, Verdict};
use super::{cell, machine, server};
use crate::client::{Connect, block_on};
use crate::exit::Exit;
use crate::runner::Data;
use crate::table::visible;
use crate::terminal::{self, style, style_of, styled};

/// How long a cell may take to be ready.
const CELL_PATIENCE: Duration = Duration::from_secs(10);

/// Look at everything on this machine that can go wrong
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  signalbox doctor
  signalbox doctor --repo /srv/git/homeops.git --data /var/lib/signalbox
  signalbox doctor --json | jq '.checks[] | select(.verdict != \"ok\")'

The exit code is 0 when nothing keeps a runner from working, warnings included, and 4 otherwise.")]
pub(crate) struct Args {
    /// A repository that must be readable: a folder or a file:// URL
    #[arg(long, value_name = "PATH_OR_URL", env = "SIGNALBOX_REPO", hide_env_values = true)]
    repo: Option<String>,
    #[command(flatten)]
    data: Data,
    /// Print JSON: { ok, checks }
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connect: Connect,
}

/// Runs the command.
pub(crate) fn run(args: &Args) -> anyhow::Result<Exit> {
    let checks = examine(args)?;
    let ok = checks.iter().all(|check| check.verdict != Verdict::Fail);
    if args.json {
        let checks: Vec<_> = checks.iter().map(Check::to_json).collect();
        terminal::json(&json!({ "ok": ok, "checks": checks }))?;
    } else {
        let lines: Vec<_> = checks.iter().map(line).collect();
        terminal::data(&lines.join("\n"))?;
    }
    Ok(if ok { Exit::Done } else { Exit::Environment })
}

fn examine(args: &Args) -> anyhow::Result<Vec<Check>> {
    let mut checks = match args.data.directory() {
        Ok(data) => vec![machine::data(&data), machine::disk(&data)],
        Err(failure) => vec![Check::fail("data directory", failure.message)],
    };
    checks.push(machine::database());
    checks.extend(args.repo.as_deref().map(machine::repository));
    checks.push(cell::starts(CELL_PATIENCE));
    checks.push(machine::open_files());
    checks.push(machine::clock());
    checks.extend(block_on(async { Ok(server::checks(&args.connect).await) })?);
    Ok(checks)
}

/// `ok    disk: 12 GiB free`, and what to do below it.
fn line(check: &Check) -> String {
    let word = check.verdict.as_str();
    let word = styled(style_of(word), &format!("{word:<5}"));
    let mut line = format!("{word} {}: {}", check.name, visible(&check.found));
    if let Some(help) = &check.help {
        line = format!("{line}\n      {} {help}", styled(style::FAINT, "="));
    }
    line
}

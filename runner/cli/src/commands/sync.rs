//! `signalbox sync`

use std::time::Duration;

use serde_json::{Value, json};
use signalbox_core::WorkspaceName;

use crate::client::{Client, Connect, Request, block_on};
use crate::commands::deployments::changes;
use crate::exit::{Exit, Failure};
use crate::faults::{self, Fault};
use crate::fields::{list, number, or_dash, short, text};
use crate::moment;
use crate::terminal::{self, style_of, styled};

/// Longest time that the server waits for one answer, in seconds.
pub(crate) const MAX_WAIT: u64 = 300;

/// Ask the runner to look at its source now
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  signalbox sync                     look now, say nothing more
  signalbox sync --wait              and tell what became of every workspace
  signalbox sync media --wait=30     only this one; give up after 30 seconds

With --wait the exit code is 1 when a workspace was rejected, held or superseded.")]
pub(crate) struct Args {
    /// Only these workspaces
    #[arg(value_name = "WORKSPACE")]
    workspaces: Vec<WorkspaceName>,
    /// Wait for the outcome, at most so long
    #[arg(
        long,
        value_name = "SECONDS",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "60",
        value_parser = clap::value_parser!(u64).range(1..=MAX_WAIT)
    )]
    wait: Option<u64>,
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
        let body = args.wait.map_or_else(|| json!({}), |wait| json!({ "wait": wait }));
        let time = Duration::from_secs(args.wait.unwrap_or(0));
        let mut answer = Value::Null;
        let mut outcomes = Vec::new();
        for path in paths(&args.workspaces) {
            answer = client.send(Request::post(&path, body.clone()).waits(time)).await?;
            outcomes.extend_from_slice(list(&answer, "/workspaces"));
        }
        if args.wait.is_none() {
            return accepted(args);
        }
        if answer.get("workspaces").is_none() {
            let failure =
                Failure::new(Exit::Failed, "the look at the source has not ended in time");
            return Err(failure.help("`signalbox status` tells when it has").into());
        }
        let root = Fault::list(list(&answer, "/diagnostics"));
        if args.json {
            answer["workspaces"] = Value::Array(outcomes.clone());
            terminal::json(&answer)?;
        } else {
            show(&outcomes, &root)?;
        }
        let well = outcomes.iter().all(is_good) && !root.iter().any(Fault::is_error);
        Ok(Exit::done_if(well))
    })
}

fn paths(workspaces: &[WorkspaceName]) -> Vec<String> {
    if workspaces.is_empty() {
        return vec!["/sync".to_owned()];
    }
    workspaces.iter().map(|workspace| format!("/workspaces/{workspace}/sync")).collect()
}

fn accepted(args: &Args) -> anyhow::Result<Exit> {
    if args.json {
        terminal::json(&json!({ "accepted": true }))?;
    } else {
        terminal::say("the runner looks at its source; `signalbox status` tells what became of it");
    }
    Ok(Exit::Done)
}

fn show(outcomes: &[Value], root: &[Fault]) -> std::io::Result<()> {
    for outcome in outcomes {
        terminal::data(&line(outcome))?;
    }
    let found: Vec<Fault> = root
        .iter()
        .cloned()
        .chain(outcomes.iter().flat_map(|outcome| Fault::list(list(outcome, "/diagnostics"))))
        .collect();
    if !found.is_empty() {
        terminal::say(&format!("\n{}", faults::render(&found)));
    } else if outcomes.is_empty() {
        terminal::say("the source has no workspace yet");
    }
    Ok(())
}

/// Whether an outcome leaves its workspace at what was wanted.
pub(crate) fn is_good(outcome: &Value) -> bool {
    matches!(text(outcome, "/outcome"), "deployed" | "unchanged" | "rolled_back")
}

/// `homeops-media: deployed at a1b2c3d (d12), +1 ~2, live after 12ms`
pub(crate) fn line(outcome: &Value) -> String {
    let word = or_dash(outcome, "/outcome");
    let mut line = format!(
        "{}: {} at {}",
        or_dash(outcome, "/workspace"),
        styled(style_of(&word), &word),
        short(text(outcome, "/commit"))
    );
    match text(outcome, "/deployment") {
        "" => {}
        deployment => line = format!("{line} ({deployment})"),
    }
    let changes = changes(outcome);
    if !changes.is_empty() {
        line = format!("{line}, flows {changes}");
    }
    if let Some(time) = number(outcome, "/hint_to_live_ms") {
        line = format!("{line}, live after {}", moment::measured(time));
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outcome_is_one_line() {
        let outcome = json!({
            "workspace": "media", "outcome": "deployed", "commit": "0123456789abcdef",
            "deployment": "d12", "added": ["a"], "changed": ["b", "c"], "removed": [],
            "hint_to_live_ms": 12.34,
        });
        assert_eq!(
            anstream::adapter::strip_str(&line(&outcome)).to_string(),
            "media: deployed at 0123456 (d12), flows +1 ~2, live after 12ms"
        );
    }

    #[test]
    fn only_what_is_wanted_and_live_is_good() {
        let good = |outcome: &str| is_good(&json!({ "outcome": outcome }));
        assert!(good("deployed") && good("unchanged") && good("rolled_back"));
        assert!(!good("rejected") && !good("held") && !good("superseded") && !good(""));
    }
}

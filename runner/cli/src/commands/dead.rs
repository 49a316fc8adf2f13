//! Dead letters: failed runs that nobody has dealt with, and doing something with all of them.

use std::io::BufRead as _;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use signalbox_core::WorkspaceName;

use super::runs::subject;
use crate::client::{Client, Request};
use crate::exit::{Exit, Failure};
use crate::fields::text;
use crate::terminal;

/// Between two lines that tell how far it is.
const TELL_AFTER: Duration = Duration::from_secs(2);

/// Which dead letters are meant.
#[derive(Debug, clap::Args)]
pub(crate) struct Dead {
    /// All dead letters of a workspace: failed runs that nobody has dealt with
    #[arg(long = "dead", id = "dead", conflicts_with = "run", requires = "workspace")]
    pub(crate) all: bool,
    /// With --dead: the workspace
    #[arg(short, long, value_name = "WS", requires = "dead")]
    workspace: Option<WorkspaceName>,
    /// With --dead: only runs of this flow
    #[arg(short, long, requires = "dead")]
    flow: Option<String>,
    /// With --dead: do not ask
    #[arg(short, long, requires = "dead")]
    yes: bool,
}

impl Dead {
    /// Does one thing with each of them, oldest first, and tells how far it is. `verb` in the
    /// infinitive and the past: `re-run`, `re-ran`. Those that are done are dead letters no more:
    /// whatever interrupts it, the same command goes on.
    pub(crate) async fn each(
        &self,
        client: &Client,
        (verb, past): (&str, &str),
        request: impl Fn(&str) -> (String, Value),
    ) -> Result<Vec<Value>, Failure> {
        let (workspace, flow) = subject(self.workspace.as_ref(), self.flow.as_deref())?;
        let filter = [
            ("dead", Some("true".to_owned())),
            ("workspace", workspace.map(|workspace| workspace.to_string())),
            ("flow", flow.map(|flow| flow.to_string())),
        ];
        let runs = client.list("/runs", &filter, usize::MAX).await?;
        if runs.is_empty() {
            terminal::say("no dead letters");
            return Ok(Vec::new());
        }
        self.confirm(verb, runs.len())?;
        let mut done = Vec::new();
        let mut failed = 0;
        let mut told = Instant::now();
        for (at, run) in runs.iter().rev().enumerate() {
            let id = text(run, "/id");
            let (path, body) = request(id);
            match client.send(Request::post(&path, body)).await {
                Ok(answer) => done.push(json!({ "run": id, "new": answer.get("id") })),
                Err(failure) => {
                    failed += 1;
                    terminal::say(&format!("run {id}: {failure}"));
                }
            }
            if told.elapsed() >= TELL_AFTER {
                told = Instant::now();
                terminal::say(&format!("{} of {}", at + 1, runs.len()));
            }
        }
        terminal::say(&format!("{past} {} of {} runs", done.len(), runs.len()));
        if failed > 0 {
            return Err(Failure::new(Exit::Failed, format!("{failed} runs are left")));
        }
        Ok(done)
    }

    fn confirm(&self, verb: &str, runs: usize) -> Result<(), Failure> {
        if self.yes {
            return Ok(());
        }
        if !terminal::is_interactive() {
            return Err(Failure::usage(format!("{verb} {runs} runs? say so with --yes")));
        }
        terminal::say(&format!("{verb} {runs} runs? [y/N]"));
        let mut answer = String::new();
        let read = std::io::stdin().lock().read_line(&mut answer);
        match answer.trim() {
            "y" | "Y" | "yes" if read.is_ok() => Ok(()),
            _ => Err(Failure::new(Exit::Failed, "nothing was done")),
        }
    }
}

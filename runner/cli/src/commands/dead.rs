//! Dead letters: failed runs that nobody has dealt with, and doing something with all of them.

use std::io::BufRead as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};
use signalbox_core::WorkspaceName;

use super::runs::subject;
use crate::client::{Client, Request};
use crate::exit::{Exit, Failure};
use crate::fields::text;
use crate::progress::Progress;
use crate::terminal;

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
        let (mut done, mut failed) = (Vec::new(), Vec::new());
        let (at, of) = (Arc::new(AtomicUsize::new(0)), runs.len());
        let shown = Arc::clone(&at);
        let progress =
            Progress::show(move |_| format!("{} of {of} runs", shown.load(Ordering::Relaxed)));
        for run in runs.iter().rev() {
            let id = text(run, "/id");
            let (path, body) = request(id);
            match client.send(Request::post(&path, body)).await {
                Ok(answer) => done.push(json!({ "run": id, "new": answer.get("id") })),
                Err(failure) => failed.push(format!("run {id}: {failure}")),
            }
            at.fetch_add(1, Ordering::Relaxed);
        }
        drop(progress);
        for failure in &failed {
            terminal::say(failure);
        }
        terminal::say(&format!("{past} {} of {} runs", done.len(), runs.len()));
        if !failed.is_empty() {
            return Err(Failure::new(Exit::Failed, format!("{} runs are left", failed.len())));
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

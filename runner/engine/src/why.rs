//! Why runs do not run: the facts, from the store and the dispatcher.

use std::time::Duration;

use signalbox_core::ids::FlowRef;
use signalbox_core::run::{Reason, State};
use signalbox_core::why::{Callee, Cells, Facts, Standing, Why, explain};
use signalbox_core::{RunId, WorkspaceName};
use signalbox_store::contract::{RunSummary, RunView};
use tokio::sync::oneshot;

use crate::link::Message;
use crate::options::Error;
use crate::shared::Shared;

/// Most callees that are looked up.
const CALLEES: usize = 10;
/// How long the dispatcher may take to say what its cells do.
const PATIENCE: Duration = Duration::from_secs(1);

/// Why one run does not run, with all that can be found out.
pub(crate) async fn of_run(shared: &Shared, run: &RunView) -> Result<Option<Why>, Error> {
    let summary = &run.summary;
    let facts = match summary.state {
        State::Queued => Facts::Queued {
            standing: standing(shared, vec![summary.id.clone()], true).await?.remove(0),
            cells: cells(shared, &summary.workspace).await,
        },
        State::Suspended => Facts::Suspended {
            reason: summary.reason,
            callees: callees(shared, &run.waits_for).await?,
            until: summary.until,
        },
        state => return Ok(passed(state, summary)),
    };
    Ok(explain(facts))
}

/// Why the runs of a list do not run: in fewer words, and without counting who goes first.
pub(crate) async fn of_list(
    shared: &Shared,
    runs: &[RunSummary],
) -> Result<Vec<Option<Why>>, Error> {
    let queued = runs.iter().filter(|run| run.state == State::Queued);
    let mut standings =
        standing(shared, queued.map(|run| run.id.clone()).collect(), false).await?.into_iter();
    let why = |run: &RunSummary| match run.state {
        State::Queued => {
            let standing = standings.next().unwrap_or(Standing::Taken);
            explain(Facts::Queued { standing, cells: None })
        }
        State::Suspended => {
            explain(Facts::Suspended { reason: run.reason, callees: Vec::new(), until: run.until })
        }
        state => passed(state, run),
    };
    Ok(runs.iter().map(why).collect())
}

fn passed(state: State, run: &RunSummary) -> Option<Why> {
    let told = state == State::Skipped || run.reason == Some(Reason::Superseded);
    let facts = Facts::Passed { state, reason: run.reason, by: run.yields_to.clone() };
    if told { explain(facts) } else { None }
}

async fn standing(shared: &Shared, runs: Vec<RunId>, count: bool) -> Result<Vec<Standing>, Error> {
    if runs.is_empty() {
        return Ok(Vec::new());
    }
    Ok(shared.store.standings(runs, count).await?)
}

async fn callees(shared: &Shared, runs: &[RunId]) -> Result<Vec<Callee>, Error> {
    let mut callees = Vec::new();
    for run in runs.iter().take(CALLEES) {
        let RunSummary { id, workspace, flow, state, queued_at, .. } =
            shared.store.run(run).await?.summary;
        let flow = FlowRef { workspace, flow };
        callees.push(Callee { run: id, flow, state, since: queued_at });
    }
    Ok(callees)
}

/// What a workspace's cells do, unless the dispatcher has no time to say it.
async fn cells(shared: &Shared, workspace: &WorkspaceName) -> Option<Cells> {
    let (reply, answer) = oneshot::channel();
    let ask = async {
        let message = Message::Look { workspace: workspace.clone(), reply };
        shared.dispatcher.send(message).await.ok()?;
        answer.await.ok()
    };
    tokio::time::timeout(PATIENCE, ask).await.ok()?
}

//! Everything that a store has of runs and calls.

use std::collections::BTreeMap;

use anyhow::Result;
use signalbox_core::RunId;
use signalbox_core::run::Trigger;
use signalbox_store::Store;
use signalbox_store::contract::{CallFilter, CallView, RunFilter, RunView};

use crate::catalogue::{self, Flow};

/// Every run and call of a store.
pub(super) struct Seen {
    pub(super) runs: BTreeMap<RunId, RunView>,
    /// The calls of each run, in order.
    pub(super) calls: BTreeMap<RunId, Vec<CallView>>,
    /// The runs of its own workspace that each run started.
    children: BTreeMap<RunId, Vec<RunId>>,
    /// The runs that continue each run.
    pub(super) successors: BTreeMap<RunId, Vec<RunId>>,
}

impl Seen {
    pub(super) async fn of(store: &dyn Store) -> Result<Self> {
        let (runs, calls) = (runs(store).await?, calls(store).await?);
        let mut children: BTreeMap<_, Vec<_>> = BTreeMap::new();
        let mut successors: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (id, run) in &runs {
            match &run.summary.trigger {
                Trigger::Flow { run, .. } => {
                    children.entry(run.clone()).or_default().push(id.clone());
                }
                Trigger::Continue { of, .. } => {
                    successors.entry(of.clone()).or_default().push(id.clone());
                }
                _ => {}
            }
        }
        Ok(Self { runs, calls, children, successors })
    }

    /// Runs of the same workspace that a run started.
    pub(super) fn children<'a>(&'a self, run: &RunView) -> impl Iterator<Item = &'a RunView> {
        let children = self.children.get(&run.summary.id).into_iter().flatten();
        children.filter_map(|child| self.runs.get(child))
    }

    /// Runs that a run called or started.
    pub(super) fn callees<'a>(&'a self, run: &RunView) -> impl Iterator<Item = &'a RunView> {
        let calls = self.calls.get(&run.summary.id).into_iter().flatten();
        let called = calls.filter_map(|call| self.runs.get(call.run.as_ref()?));
        called.chain(self.children(run))
    }

    /// Runs whose end a run was told of: the last of those that continue each callee.
    pub(super) fn heard_of<'a>(&'a self, run: &RunView) -> impl Iterator<Item = &'a RunView> {
        self.callees(run).map(|callee| self.last(callee))
    }

    /// The run that ended what a run began: itself, or the last of those that continue it.
    pub(super) fn last<'a>(&'a self, run: &'a RunView) -> &'a RunView {
        let mut last = run;
        while let Some(next) = last.successor.as_ref().and_then(|next| self.runs.get(next)) {
            last = next;
        }
        last
    }

    /// The run that the first one of those began that lead to a run by continuing.
    pub(super) fn first<'a>(&'a self, run: &'a RunView) -> &'a RunView {
        let mut first = run;
        while let Trigger::Continue { of, .. } = &first.summary.trigger
            && let Some(before) = self.runs.get(of)
        {
            first = before;
        }
        first
    }

    pub(super) fn relatives(&self, run: &RunView) -> String {
        let callees: Vec<_> = self.heard_of(run).map(line).collect();
        format!("{:?}, it called {callees:?}", run.summary.trigger)
    }
}

/// The flow of a run.
pub(super) fn flow_of(run: &RunView) -> Option<&'static Flow> {
    catalogue::find(run.summary.workspace.as_str(), run.summary.flow.as_str())
}

/// A run in a line.
pub(super) fn line(run: &RunView) -> String {
    let summary = &run.summary;
    let error = summary.error.as_ref().map(|error| format!(" {}: {}", error.code, error.message));
    let reason = summary.reason.map(|reason| format!(" ({})", reason.as_str()));
    format!(
        "run {} of {}/{} is {}{}{}",
        summary.id,
        summary.workspace,
        summary.flow,
        summary.state.as_str(),
        reason.unwrap_or_default(),
        error.unwrap_or_default()
    )
}

async fn runs(store: &dyn Store) -> Result<BTreeMap<RunId, RunView>> {
    let mut runs = BTreeMap::new();
    let mut cursor = None;
    loop {
        let filter = RunFilter { limit: 1_000, cursor, ..RunFilter::default() };
        let page = store.runs(filter).await?;
        for run in page.items {
            runs.insert(run.id.clone(), store.run(&run.id).await?);
        }
        cursor = page.next;
        if cursor.is_none() {
            return Ok(runs);
        }
    }
}

async fn calls(store: &dyn Store) -> Result<BTreeMap<RunId, Vec<CallView>>> {
    let mut calls: BTreeMap<_, Vec<_>> = BTreeMap::new();
    let mut cursor = None;
    loop {
        let filter = CallFilter { limit: 1_000, cursor, ..CallFilter::default() };
        let page = store.calls(filter).await?;
        for call in page.items {
            calls.entry(call.record.caller_run.clone()).or_default().insert(0, call);
        }
        cursor = page.next;
        if cursor.is_none() {
            return Ok(calls);
        }
    }
}

//! What is read for people and programs.

use std::collections::BTreeMap;
use std::time::Duration;

use signalbox_core::clock::Timestamp;
use signalbox_core::ids::FlowRef;
use signalbox_core::journal::Key;
use signalbox_core::run::{NewRun, Reason, RunError, State, StepRecord, Trigger};
use signalbox_core::turn::Turn;
use signalbox_core::{DeploymentId, FlowName, Revision, RunId, WorkspaceName};

use super::CallDecision;

/// A part of a list.
#[derive(Debug, Clone, PartialEq)]
pub struct Page<T> {
    /// The part, newest first.
    pub items: Vec<T>,
    /// Where the next part begins; `None` at the end.
    pub next: Option<i64>,
}

/// Which runs are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RunFilter {
    /// Of one workspace.
    pub workspace: Option<WorkspaceName>,
    /// Of one flow.
    pub flow: Option<FlowName>,
    /// In one state.
    pub state: Option<State>,
    /// Only failed ones that nobody has dealt with: the dead letters.
    pub dead: bool,
    /// Queued at or after.
    pub since: Option<Timestamp>,
    /// At most so many: 1 to 1,000, what lies outside is taken as the nearer end.
    pub limit: usize,
    /// [`Page::next`] of the part before.
    pub cursor: Option<i64>,
}

/// A run in a list.
#[derive(Debug, Clone, PartialEq)]
pub struct RunSummary {
    /// Its id.
    pub id: RunId,
    /// Its workspace.
    pub workspace: WorkspaceName,
    /// Its flow.
    pub flow: FlowName,
    /// The deployment it is pinned to.
    pub deployment: DeploymentId,
    /// The commit of that deployment.
    pub revision: Revision,
    /// The tree of that deployment.
    pub tree: String,
    /// What started it.
    pub trigger: Trigger,
    /// Its state.
    pub state: State,
    /// Why it is in it.
    pub reason: Option<Reason>,
    /// Suspended: when its first wait ends by itself, if one does.
    pub until: Option<Timestamp>,
    /// Skipped for its key, or replaced or cancelled for a newer run: the run that it was for.
    pub yields_to: Option<RunId>,
    /// Which attempt it is at, from 1.
    pub attempt: u32,
    /// How it failed.
    pub error: Option<RunError>,
    /// Isolation level of the cell, 0 to 3, once it ended.
    pub isolation: Option<u8>,
    /// When it was accepted.
    pub queued_at: Timestamp,
    /// When it was first evaluated.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
}

/// A run whole.
#[derive(Debug, Clone, PartialEq)]
pub struct RunView {
    /// What lists show.
    pub summary: RunSummary,
    /// Its inputs, in canonical bytes.
    pub inputs: Vec<u8>,
    /// Its result, in canonical bytes.
    pub result: Option<Vec<u8>>,
    /// Flows whose calls led to it.
    pub chain: Vec<FlowRef>,
    /// The last record of each of its steps, in the order they ended.
    pub steps: Vec<StepRecord>,
    /// Runs that it waits for.
    pub waits_for: Vec<RunId>,
    /// All that it waits for.
    pub waits: Vec<Wait>,
    /// The run that continues it.
    pub successor: Option<RunId>,
    /// When it must have ended.
    pub deadline: Option<Timestamp>,
    /// When somebody dealt with its failure.
    pub dealt_at: Option<Timestamp>,
    /// How it takes its turn among others.
    pub turn: Turn,
}

impl RunView {
    /// The run as it was accepted.
    pub fn into_run(self) -> NewRun {
        let Self { summary, inputs, chain, deadline, turn, .. } = self;
        NewRun {
            id: summary.id,
            workspace: summary.workspace,
            flow: summary.flow,
            deployment: summary.deployment,
            trigger: summary.trigger,
            inputs,
            chain,
            queued_at: summary.queued_at,
            deadline,
            turn,
        }
    }
}

/// Something that a run waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wait {
    /// What.
    pub kind: WaitKind,
    /// The entry; that of a retry is none of the journal's.
    pub key: Key,
    /// When the wait ends by itself.
    pub until: Option<Timestamp>,
}

/// What is waited for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WaitKind {
    /// A moment.
    Moment,
    /// The end of a run.
    Run(RunId),
    /// The next attempt.
    Retry,
}

/// What waits and runs in a workspace.
#[derive(Debug, Clone, PartialEq)]
pub struct QueueView {
    /// The workspace.
    pub workspace: WorkspaceName,
    /// How many runs are claimed.
    pub running: usize,
    /// How many wait, whatever for.
    pub queued: usize,
    /// How many of those could be claimed.
    pub ready: usize,
    /// The claimed ones, oldest claim first, at most as many as were asked for.
    pub runs: Vec<RunSummary>,
    /// The first of those that could be claimed, in order, at most as many as were asked for.
    pub next: Vec<RunSummary>,
    /// Its keys that some run has or waits for, in order.
    pub keys: Vec<KeyView>,
}

/// Runs of a flow with the same key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyView {
    /// The flow.
    pub flow: FlowName,
    /// The key; empty when all runs of the flow share one.
    pub key: String,
    /// How many may have it.
    pub limit: u32,
    /// The runs that have it, oldest first.
    pub holders: Vec<RunId>,
    /// The first of those that wait for it, in order, at most as many as were asked for.
    pub queued: Vec<RunId>,
    /// How many wait for it.
    pub waiting: usize,
}

/// Which decisions are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CallFilter {
    /// With this workspace on either side.
    pub workspace: Option<WorkspaceName>,
    /// Allowed or refused.
    pub decision: Option<CallDecision>,
    /// Made at or after.
    pub since: Option<Timestamp>,
    /// At most so many: 1 to 1,000, what lies outside is taken as the nearer end.
    pub limit: usize,
    /// [`Page::next`] of the part before.
    pub cursor: Option<i64>,
}

/// A decision of the broker.
#[derive(Debug, Clone, PartialEq)]
pub struct CallView {
    /// Its number in the store's sequence.
    pub id: i64,
    /// The record.
    pub record: super::CallRecord,
    /// The run that it started.
    pub run: Option<RunId>,
    /// That run's state.
    pub state: Option<State>,
    /// From the decision to the end of that run, in milliseconds.
    pub latency_ms: Option<f64>,
}

/// Runs of one workspace by state, history included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counts {
    /// The workspace.
    pub workspace: WorkspaceName,
    /// How many runs are in each state; states without runs are left out.
    pub runs: BTreeMap<State, u64>,
}

/// What is kept. On by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Ended runs are forgotten after so long.
    pub age: Duration,
    /// At most so many ended runs of a workspace are kept.
    pub runs: u64,
    /// So many deployments of a workspace are kept, besides the live one and those of kept runs.
    pub deployments: u64,
}

impl Default for Retention {
    fn default() -> Self {
        Self { age: Duration::from_hours(30 * 24), runs: 1_000_000, deployments: 100 }
    }
}

/// What [`super::Store::prune`] forgot.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Runs.
    pub runs: u64,
    /// Deployments.
    pub deployments: u64,
    /// Files.
    pub blobs: u64,
}

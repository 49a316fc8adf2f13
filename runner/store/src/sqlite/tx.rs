//! A transaction as its jobs see it, and the changes of memory that follow its commit.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use rusqlite::{Connection, params};
use signalbox_core::clock::Timestamp;
use signalbox_core::run::{NewRun, State};
use signalbox_core::{FlowName, RunId, WorkspaceName};
use tokio::sync::watch;

use super::columns::{id_bytes, state_number, to_json};
use super::line::{Queued, Ticket, Withheld};
use super::live::{Claimed, Enqueue, Entrance};
use super::names::Names;
use super::shared::Shared;
use super::turns;
use crate::contract::{Displaced, Error};

/// What memory becomes when the transaction is committed. Dropped without that, it puts the runs
/// it withheld back into their queues.
#[derive(Debug)]
pub(super) struct Changes {
    shared: Arc<Shared>,
    claims: HashMap<RunId, Option<Claimed>>,
    enqueued: Vec<Enqueue>,
    /// How many of `enqueued` each workspace has.
    waiting: HashMap<WorkspaceName, usize>,
    withheld: Vec<Withheld>,
    /// Runs that ended without a claim: wherever they waited, they wait no more.
    ended: HashSet<i64>,
    /// Runs that ended and had, or waited for, a key.
    left: Vec<i64>,
    displaced: Vec<Displaced>,
    counts: HashMap<(i64, State), i64>,
    /// Deployments that were made (`true`) or forgotten.
    deployments: Vec<(i64, bool)>,
    due: Due,
}

/// What becomes of [`Shared::due`].
#[derive(Debug, Clone, Copy, Default)]
struct Due {
    /// Whether the database was asked: what was known before does not count.
    anew: bool,
    /// The soonest of what came since.
    soonest: Option<Timestamp>,
}

impl Due {
    fn then(self, later: Self) -> Self {
        if later.anew {
            return later;
        }
        Self { soonest: self.soonest.into_iter().chain(later.soonest).min(), ..self }
    }

    fn publish(self, due: &watch::Sender<Option<Timestamp>>) {
        due.send_if_modified(|due| {
            let before = *due;
            let known = before.filter(|_| !self.anew);
            *due = known.into_iter().chain(self.soonest).min();
            *due != before
        });
    }
}

impl Changes {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            claims: HashMap::new(),
            enqueued: Vec::new(),
            waiting: HashMap::new(),
            withheld: Vec::new(),
            ended: HashSet::new(),
            left: Vec::new(),
            displaced: Vec::new(),
            counts: HashMap::new(),
            deployments: Vec::new(),
            due: Due::default(),
        }
    }

    /// Adds what a later job of the same transaction changed.
    pub(super) fn absorb(&mut self, mut later: Self) {
        self.claims.extend(std::mem::take(&mut later.claims));
        self.enqueued.append(&mut later.enqueued);
        self.withheld.append(&mut later.withheld);
        self.ended.extend(later.ended.drain());
        self.left.append(&mut later.left);
        self.displaced.append(&mut later.displaced);
        for (workspace, runs) in later.waiting.drain() {
            *self.waiting.entry(workspace).or_default() += runs;
        }
        self.deployments.append(&mut later.deployments);
        self.due = self.due.then(later.due);
        for (pair, change) in later.counts.drain() {
            *self.counts.entry(pair).or_default() += change;
        }
    }

    /// Writes what the runs by state have become: once for each pair, however many runs.
    pub(super) fn write_counts(&self, connection: &Connection) -> rusqlite::Result<()> {
        let mut statement = connection.prepare_cached(
            "INSERT INTO counts VALUES (?, ?, ?)
             ON CONFLICT DO UPDATE SET runs = runs + excluded.runs",
        )?;
        for ((workspace, state), change) in &self.counts {
            if *change != 0 {
                statement.execute(params![workspace, state_number(*state), change])?;
            }
        }
        Ok(())
    }

    /// Makes the changes, after the commit.
    pub(super) fn publish(mut self, shared: &Shared) {
        let mut woken = !self.enqueued.is_empty();
        let displaced = !self.displaced.is_empty();
        {
            let mut live = shared.live();
            for (run, claim) in self.claims.drain() {
                live.set_claim(run, claim);
            }
            self.withheld.drain(..).for_each(|withheld| live.forget(&withheld));
            for enqueue in self.enqueued.drain(..) {
                if !self.ended.contains(&enqueue.run.seq) {
                    live.enqueue(enqueue);
                }
            }
            for seq in self.left.drain(..) {
                woken |= live.line.leave(seq);
            }
            live.displaced.append(&mut self.displaced);
        }
        if displaced {
            shared.displaced.notify_one();
        }
        for (deployment, made) in self.deployments.drain(..) {
            shared.know_deployment(deployment, made);
        }
        self.due.publish(&shared.due);
        if woken {
            shared.ready.notify_one();
        }
    }

    fn waiting_in(&self, workspace: &WorkspaceName) -> usize {
        self.waiting.get(workspace).copied().unwrap_or(0)
    }
}

impl Drop for Changes {
    fn drop(&mut self) {
        if !self.withheld.is_empty() {
            let mut live = self.shared.live();
            self.withheld.drain(..).for_each(|withheld| live.restore(withheld));
            drop(live);
            // Whoever looked while they were withheld did not see them.
            self.shared.ready.notify_one();
        }
    }
}

/// Whether the record of a new run has something already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Recorded {
    /// It has nothing.
    Nothing,
    /// It has its first chunk.
    Something,
}

/// The transaction that a job runs in.
pub(super) struct Tx<'a> {
    pub(super) connection: &'a Connection,
    pub(super) shared: &'a Arc<Shared>,
    pub(super) names: &'a mut Names,
    pub(super) next_seq: &'a mut i64,
    /// What the jobs before it changed.
    pub(super) before: &'a Changes,
    /// What it changes itself.
    pub(super) changes: Changes,
}

impl Tx<'_> {
    /// The claim of a run, as the writes before this one left it.
    pub(super) fn claimed(&self, run: &RunId) -> Option<Claimed> {
        match self.changed_claim(run) {
            Some(claim) => claim.clone(),
            None => self.shared.live().claimed(run).cloned(),
        }
    }

    fn changed_claim(&self, run: &RunId) -> Option<&Option<Claimed>> {
        self.changes.claims.get(run).or_else(|| self.before.claims.get(run))
    }

    /// Sets or ends the claim of a run.
    pub(super) fn set_claim(&mut self, run: RunId, claim: Option<Claimed>) {
        self.changes.claims.insert(run, claim);
    }

    /// How many runs of a workspace wait.
    pub(super) fn waiting_in(&self, workspace: &WorkspaceName) -> usize {
        self.shared.live().waiting_in(workspace)
            + self.before.waiting_in(workspace)
            + self.changes.waiting_in(workspace)
    }

    /// Puts a new run into its queue: it takes its turn when its debounce is over. One that begins
    /// with a record is read when it is claimed.
    pub(super) fn enqueue_new(
        &mut self,
        queued: Queued,
        run: NewRun,
        due: Option<Timestamp>,
        recorded: Recorded,
    ) {
        let turn = Entrance::New(Ticket::of(&run.flow, &run.turn, run.queued_at, due));
        let workspace = run.workspace.clone();
        let fresh = match recorded {
            Recorded::Nothing => Some(Box::new(run)),
            Recorded::Something => None,
        };
        self.enqueue_any(Enqueue { workspace, run: queued, fresh, turn });
    }

    /// Puts a run that is not new into its queue.
    pub(super) fn enqueue_again(&mut self, workspace: WorkspaceName, run: Queued, turn: Entrance) {
        self.enqueue_any(Enqueue { workspace, run, fresh: None, turn });
    }

    fn enqueue_any(&mut self, enqueue: Enqueue) {
        *self.changes.waiting.entry(enqueue.workspace.clone()).or_default() += 1;
        self.changes.enqueued.push(enqueue);
    }

    /// Something is due at a moment.
    pub(super) fn is_due(&mut self, at: Timestamp) {
        self.changes.due = self.changes.due.then(Due { anew: false, soonest: Some(at) });
    }

    /// Says what is due next, as the database has it.
    pub(super) fn set_due(&mut self, next: Option<Timestamp>) {
        self.changes.due = Due { anew: true, soonest: next };
    }

    /// Frees the key of a run that ended.
    pub(super) fn leave_line(&mut self, seq: i64) {
        self.changes.left.push(seq);
    }

    /// Tells after the commit that a newer run took the place of another.
    pub(super) fn displace(&mut self, displaced: Displaced) {
        self.changes.displaced.push(displaced);
    }

    /// Takes a run that is about to end without a claim out of its queue. Answers `false`, and
    /// does nothing, when somebody has claimed it; nobody can from here on.
    pub(super) fn withhold(&mut self, workspace: &WorkspaceName, run: &RunId, seq: i64) -> bool {
        let changed = self.changed_claim(run).map(Option::is_some);
        let mut live = self.shared.live();
        if changed.unwrap_or_else(|| live.claimed(run).is_some()) {
            return false;
        }
        self.changes.withheld.extend(live.withhold(workspace, seq));
        self.changes.ended.insert(seq);
        true
    }

    /// Counts a run that went from one state to another; `None` is not being there.
    pub(super) fn count(&mut self, workspace: i64, from: Option<State>, to: Option<State>) {
        for (state, change) in [(from, -1), (to, 1)] {
            if let Some(state) = state {
                *self.changes.counts.entry((workspace, state)).or_default() += change;
            }
        }
    }

    /// The number of a workspace.
    pub(super) fn workspace(&mut self, name: &WorkspaceName) -> Result<i64, Error> {
        self.names.workspace(self.connection, name)
    }

    /// The numbers of a flow and its workspace.
    pub(super) fn flow(
        &mut self,
        workspace: &WorkspaceName,
        flow: &FlowName,
    ) -> Result<(i64, i64), Error> {
        let workspace = self.workspace(workspace)?;
        Ok((workspace, self.names.flow(self.connection, workspace, flow)?))
    }

    /// Remembers that a deployment was made, or forgotten.
    pub(super) fn know_deployment(&mut self, id: i64, made: bool) {
        self.changes.deployments.push((id, made));
    }

    /// Writes the row of a new run.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is no such deployment.
    pub(super) fn insert_run(&mut self, run: &NewRun, state: State) -> Result<i64, Error> {
        let deployment = run.deployment.0;
        if !self.shared.knows_deployment(deployment) {
            return Err(Error::NotFound(format!("deployment {}", run.deployment)));
        }
        let (workspace, flow) = self.flow(&run.workspace, &run.flow)?;
        let seq = *self.next_seq;
        let chain = if run.chain.is_empty() { None } else { Some(to_json(&run.chain)?) };
        self.connection
            .prepare_cached(
                "INSERT INTO runs (seq, id, workspace, flow, deployment, state, queued_at,
                                   trigger, chain, inputs, deadline)
                 VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            )?
            .execute(params![
                seq,
                id_bytes(&run.id)?,
                workspace,
                flow,
                deployment,
                state_number(state),
                run.queued_at.0,
                to_json(&run.trigger)?,
                chain,
                run.inputs,
                run.deadline.map(|deadline| deadline.0),
            ])?;
        *self.next_seq += 1;
        if let Some(deadline) = run.deadline {
            self.is_due(deadline);
        }
        self.count(workspace, None, Some(state));
        turns::insert(self, (seq, flow), run, state)?;
        Ok(seq)
    }
}

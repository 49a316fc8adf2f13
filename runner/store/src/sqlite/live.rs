//! What is kept in memory: which runs wait, and who has claimed which.
//!
//! All of it follows from the database: runs that are queued or running when the store is opened
//! wait again. It changes only after a commit, except that a claim takes effect at once and
//! leaves no trace in the database until its run's first write.

use std::collections::{HashMap, HashSet};

use signalbox_core::clock::Timestamp;
use signalbox_core::run::{NewRun, Trigger};
use signalbox_core::{RunId, WorkspaceName};

use super::line::{Line, Queued, Ticket, Withheld};
use crate::contract::{Claim, Displaced, Waiting, Want};

/// Bytes of freshly accepted runs that are kept, so that claiming them reads nothing: some tens of
/// thousands. Of a longer queue the rest is read when its turn comes: memory that a flood has taken
/// does not all go back to the system after it.
const FRESH_BYTES: usize = 16 << 20;

/// A run that somebody has.
#[derive(Debug, Clone)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each says whether a table has something of the run, so that a run without it costs no look"
)]
pub(super) struct Claimed {
    pub(super) seq: i64,
    pub(super) workspace: WorkspaceName,
    pub(super) epoch: u64,
    pub(super) next_chunk: u32,
    /// Whether its row says `running` already.
    pub(super) durable: bool,
    /// Whether another run may wait for its end.
    pub(super) called: bool,
    /// Whether it may wait for something itself.
    pub(super) waited: bool,
    /// [`Claim::recovered`], as its row has it.
    pub(super) recovered: u32,
    /// When it must have ended.
    pub(super) deadline: Option<Timestamp>,
    /// Whether it has a row that says how it takes its turn.
    pub(super) keyed: bool,
    pub(super) since: Timestamp,
}

/// A run that is to be put into its workspace's queue.
#[derive(Debug)]
pub(super) struct Enqueue {
    pub(super) workspace: WorkspaceName,
    pub(super) run: Queued,
    /// The run itself when it is new and has no record yet.
    pub(super) fresh: Option<Box<NewRun>>,
    pub(super) turn: Entrance,
}

/// How a run comes into its queue.
#[derive(Debug)]
pub(super) enum Entrance {
    /// For the first time, with what decides about its place.
    New(Ticket),
    /// It has waited and goes on: before those that are new, in the order in which runs woke.
    Woken,
    /// It was claimed and comes back: before all others.
    Back,
}

/// The queues and the claims.
#[derive(Debug, Default)]
pub(super) struct Live {
    pub(super) line: Line,
    claims: HashMap<RunId, Claimed>,
    fresh: HashMap<i64, Box<NewRun>>,
    fresh_bytes: usize,
    epoch: u64,
    /// Runs, by sequence, that a runner which died may have had without a trace.
    suspects: HashSet<i64>,
    /// Runs that others took the place of, until somebody deals with them.
    pub(super) displaced: Vec<Displaced>,
}

/// A run that was taken out of its queue for whoever claims it.
#[derive(Debug)]
pub(super) struct Taken {
    pub(super) run: Queued,
    pub(super) epoch: u64,
    /// Whether it is among those that a runner which died may have had.
    pub(super) suspect: bool,
    /// The claim, when the run is in memory; otherwise it must be read.
    pub(super) claim: Option<Claim>,
}

impl Live {
    /// Nothing waits yet. Epochs start above those of every earlier opening.
    pub(super) fn new(boot: u32) -> Self {
        Self { epoch: u64::from(boot) << 32, ..Self::default() }
    }

    /// A runner that died may have had a run.
    pub(super) fn suspect(&mut self, seq: i64) {
        self.suspects.insert(seq);
    }

    /// How many runs of a workspace wait.
    pub(super) fn waiting_in(&self, workspace: &WorkspaceName) -> usize {
        self.line.waiting_in(workspace)
    }

    /// How many runs of each workspace could be claimed.
    pub(super) fn waiting(&self) -> Vec<Waiting> {
        let ready = self.line.ready();
        let mut waiting: Vec<_> =
            ready.map(|(workspace, runs)| Waiting { workspace: workspace.clone(), runs }).collect();
        waiting.sort_by(|a, b| a.workspace.cmp(&b.workspace));
        waiting
    }

    /// The claim of a run.
    pub(super) fn claimed(&self, run: &RunId) -> Option<&Claimed> {
        self.claims.get(run)
    }

    /// Every claim, by sequence.
    pub(super) fn all_claimed(&self) -> impl Iterator<Item = &Claimed> {
        self.claims.values()
    }

    /// Claims whose rows do not say so, by sequence, with the time they were made.
    pub(super) fn overlay(&self) -> HashMap<i64, Timestamp> {
        let claims = self.claims.values().filter(|claim| !claim.durable);
        claims.map(|claim| (claim.seq, claim.since)).collect()
    }

    /// Claims what is wanted.
    pub(super) fn claim(&mut self, want: &[Want], now: Timestamp) -> Vec<Taken> {
        let mut taken = Vec::new();
        for Want { workspace, runs } in want {
            for _ in 0..*runs {
                let Some(run) = self.line.pop(workspace) else { break };
                taken.push(self.take(workspace, run, now));
            }
        }
        taken
    }

    fn take(&mut self, workspace: &WorkspaceName, run: Queued, now: Timestamp) -> Taken {
        self.epoch += 1;
        let epoch = self.epoch;
        let fresh = self.take_fresh(run.seq);
        let suspect = self.suspects.contains(&run.seq);
        let called = fresh.as_ref().is_some_and(|run| is_called(run));
        let deadline = fresh.as_ref().and_then(|run| run.deadline);
        let claimed = Claimed {
            seq: run.seq,
            workspace: workspace.clone(),
            epoch,
            next_chunk: 1,
            durable: false,
            called,
            waited: false,
            recovered: 0,
            deadline,
            keyed: fresh.as_ref().is_some_and(|run| !run.turn.is_plain()),
            since: now,
        };
        self.claims.insert(run.id.clone(), claimed);
        let claim = fresh.map(|run| Claim {
            run: *run,
            epoch,
            attempt: 1,
            next_chunk: 1,
            lost_cells: 0,
            recovered: 0,
            note: suspect,
            active_us: 0,
            started_at: None,
        });
        Taken { run, epoch, suspect, claim }
    }

    /// Completes the claim of a run that had to be read.
    pub(super) fn complete(&mut self, claim: &Claim) {
        if let Some(claimed) = self.claims.get_mut(&claim.run.id) {
            claimed.next_chunk = claim.next_chunk;
            claimed.called = is_called(&claim.run);
            claimed.waited = true;
            claimed.recovered = claim.recovered;
            claimed.deadline = claim.run.deadline;
            claimed.keyed = !claim.run.turn.is_plain();
        }
    }

    /// Gives back a run whose claim reached nobody.
    pub(super) fn give_back(&mut self, run: Queued, epoch: u64) {
        let Some(claimed) = self.claims.get(&run.id) else { return };
        if claimed.epoch == epoch {
            let workspace = claimed.workspace.clone();
            self.claims.remove(&run.id);
            self.enqueue(Enqueue { workspace, run, fresh: None, turn: Entrance::Back });
        }
    }

    /// Sets or ends a claim.
    pub(super) fn set_claim(&mut self, run: RunId, claim: Option<Claimed>) {
        match claim {
            Some(claim) => {
                // It has left its trace.
                self.suspects.remove(&claim.seq);
                drop(self.claims.insert(run, claim));
            }
            None => {
                if let Some(claim) = self.claims.remove(&run) {
                    self.suspects.remove(&claim.seq);
                }
            }
        }
    }

    /// Puts a run into its workspace's queue.
    pub(super) fn enqueue(&mut self, enqueue: Enqueue) {
        let Enqueue { workspace, run, fresh, turn } = enqueue;
        let ticket = match turn {
            Entrance::New(ticket) => ticket,
            Entrance::Woken => return self.line.wake(&workspace, run),
            Entrance::Back => return self.line.rejoin(&workspace, run),
        };
        if let Some(new) = fresh {
            let size = weight(&new);
            if self.fresh_bytes + size <= FRESH_BYTES {
                self.fresh_bytes += size;
                self.fresh.insert(run.seq, new);
            }
        }
        self.line.join(&workspace, run, ticket);
    }

    /// Takes a run out of its queue, so that nobody claims it.
    pub(super) fn withhold(&mut self, workspace: &WorkspaceName, seq: i64) -> Option<Withheld> {
        self.line.take_out(workspace, seq)
    }

    /// Puts a withheld run back where it was.
    pub(super) fn restore(&mut self, withheld: Withheld) {
        self.line.put_back(withheld);
    }

    /// Forgets a run that was withheld and is ended now.
    pub(super) fn forget(&mut self, withheld: &Withheld) {
        drop(self.take_fresh(withheld.seq()));
    }

    fn take_fresh(&mut self, seq: i64) -> Option<Box<NewRun>> {
        let run = self.fresh.remove(&seq)?;
        self.fresh_bytes -= weight(&run);
        Some(run)
    }
}

/// Whether another run may wait for its end: the one that started it, or that waited for the run
/// that it continues.
fn is_called(run: &NewRun) -> bool {
    match run.trigger {
        Trigger::Call { .. } | Trigger::Flow { .. } | Trigger::Continue { .. } => true,
        Trigger::Handler { ref service, .. } | Trigger::Alarm { ref service, .. } => {
            service.is_some()
        }
        Trigger::Schedule { .. }
        | Trigger::Webhook { .. }
        | Trigger::Api
        | Trigger::Retry { .. } => false,
    }
}

fn weight(run: &NewRun) -> usize {
    size_of::<NewRun>() + run.inputs.len() + run.chain.len() * 64 + 128
}

#[cfg(test)]
mod tests {
    use signalbox_core::turn::Turn;

    use super::*;

    fn queued(seq: i64) -> Queued {
        Queued { seq, id: RunId::from_parts(seq.unsigned_abs(), [1; 10]) }
    }

    fn plain() -> Ticket {
        Ticket::of(&"f".parse().unwrap(), &Turn::default(), Timestamp(0), None)
    }

    #[test]
    fn a_withheld_run_is_not_claimed_and_comes_back_to_its_place() {
        let workspace: WorkspaceName = "a".parse().unwrap();
        let mut live = Live::new(1);
        (1..=3).for_each(|seq| live.line.join(&workspace, queued(seq), plain()));
        let withheld = live.withhold(&workspace, 1).unwrap();
        assert!(live.withhold(&workspace, 1).is_none());
        let want = [Want { workspace: workspace.clone(), runs: 1 }];
        assert_eq!(live.claim(&want, Timestamp(0))[0].run.seq, 2);
        live.restore(withheld);
        assert_eq!(live.claim(&want, Timestamp(0))[0].run.seq, 1);
        live.give_back(queued(2), 2 + (1 << 32));
        assert!(live.claimed(&queued(2).id).is_some(), "another epoch gives nothing back");
        live.give_back(queued(2), 1 + (1 << 32));
        assert_eq!(live.claim(&want, Timestamp(0))[0].run.seq, 2);
    }

    #[test]
    fn runs_that_go_on_go_first_in_the_order_in_which_they_woke() {
        let workspace: WorkspaceName = "a".parse().unwrap();
        let mut live = Live::new(1);
        live.line.join(&workspace, queued(1), plain());
        let ways = [(8, Entrance::Woken), (7, Entrance::Woken), (3, Entrance::Back)];
        for (seq, turn) in ways {
            let workspace = workspace.clone();
            live.enqueue(Enqueue { workspace, run: queued(seq), fresh: None, turn });
        }
        let taken = live.claim(&[Want { workspace, runs: 9 }], Timestamp(0));
        let order: Vec<_> = taken.iter().map(|taken| taken.run.seq).collect();
        assert_eq!(order, [3, 8, 7, 1]);
    }
}

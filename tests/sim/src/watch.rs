//! What must hold at every operation of the store, seen as it is performed.
//!
//! The store performs one operation at a time while everything else stands still, so this is the
//! order in which things really happened, whoever was told of it. It knows only what passed
//! through the contract: who has which run and which key, what a run waits for, who was replaced.

use std::collections::{BTreeMap, BTreeSet};

use signalbox_core::clock::Timestamp;
use signalbox_core::ids::FlowRef;
use signalbox_core::journal::Key;
use signalbox_core::run::{NewRun, State, Trigger};
use signalbox_core::turn::{DEBOUNCES, PRIORITY_STEP, WhenFull};
use signalbox_core::{FlowName, RunId, WorkspaceName};
use signalbox_store::contract::{
    Accept, Accepted, Answer, Claim, Expired, InternalEffect, Pausable, Slot, Write, Written,
};

use crate::catalogue;

/// Runs whose ranks lie closer together may have been accepted in another order than they were
/// made in.
const ABOUT: i64 = 10_000_000;

/// What is known of every run, and of the schedules.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    runs: BTreeMap<RunId, Watched>,
    /// Who has begun with a key and not ended.
    holders: BTreeMap<KeyOf, BTreeSet<RunId>>,
    /// The newest run of each debounced key.
    newest: BTreeMap<KeyOf, Debounced>,
    /// When each sleep is over.
    sleeps: BTreeMap<(RunId, Key), Timestamp>,
    /// Waits that have ended.
    answered: BTreeSet<(RunId, Key)>,
    paused: Vec<Pausable>,
    /// When schedules went on after a pause.
    resumed: Vec<(Pausable, Timestamp)>,
    /// Flows that have failed and not succeeded since, and the runs that were recoveries.
    failing: BTreeSet<FlowRef>,
    recoveries: BTreeSet<RunId>,
    /// How often the clock was set.
    jumps: u32,
}

type KeyOf = (WorkspaceName, FlowName, String);

#[derive(Debug)]
struct Watched {
    run: NewRun,
    stands: Stands,
    /// When its debounce is over.
    due: Option<Timestamp>,
    epoch: u64,
    begun: bool,
    /// When it was last claimed, with how many times the clock had been set until then.
    claimed: Option<(Timestamp, u32)>,
    /// How many times the clock had been set when it was accepted.
    jumps: u32,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Stands {
    /// It can be claimed.
    Queued,
    Claimed,
    /// It waits for one of these.
    Waits(Vec<Key>),
    /// It waits for its next attempt.
    Pauses(Timestamp),
    Ended,
}

#[derive(Debug, Clone)]
struct Debounced {
    due: Timestamp,
    /// When the first of those that it stands for came.
    since: Timestamp,
}

type Seen = Result<(), String>;

impl Watch {
    /// Another life of the runner begins: nobody has a run.
    pub(crate) fn reopened(&mut self) {
        for watched in self.runs.values_mut().filter(|run| run.stands == Stands::Claimed) {
            watched.stands = Stands::Queued;
        }
    }

    /// The clock was set.
    pub(crate) fn jumped(&mut self) {
        self.jumps += 1;
    }

    /// The runs that ended their flow's failing.
    pub(crate) fn recoveries(&self) -> &BTreeSet<RunId> {
        &self.recoveries
    }

    // --- coming ---

    pub(crate) fn accepted(&mut self, accept: &Accept, accepted: &Accepted) -> Seen {
        let run = &accept.run;
        if let (Some(slot), Accepted::Queued | Accepted::Skipped | Accepted::Full) =
            (&accept.slot, accepted)
        {
            self.slot_may_fire(slot)?;
        }
        match accepted {
            Accepted::Queued => {
                if accept.slot.is_none() {
                    self.has_room(run, true)?;
                }
                self.came(run);
                Ok(())
            }
            Accepted::Skipped if accept.slot.is_none() => self.has_room(run, false),
            Accepted::Skipped
            | Accepted::Known(_)
            | Accepted::Conflict(_)
            | Accepted::Stale
            | Accepted::Overlaps(_)
            | Accepted::Full => Ok(()),
        }
    }

    /// A slot fires: its schedule is not paused, and it does not lie in a pause that is over.
    fn slot_may_fire(&self, slot: &Slot) -> Seen {
        let is_of = |what: &Pausable| match what {
            Pausable::Workspace(workspace) => *workspace == slot.schedule.workspace,
            Pausable::Schedule(key) => *key == slot.schedule,
        };
        let name = format!("{}/{}", slot.schedule.workspace, slot.schedule.flow);
        if self.paused.iter().any(is_of) {
            return Err(format!("the slot {} of {name} fired, which is paused", slot.at));
        }
        let last = self.resumed.iter().rev().find(|(what, at)| is_of(what) && slot.at <= *at);
        match last {
            Some((_, at)) => {
                Err(format!("the slot {} of {name} fired, which was resumed at {at}", slot.at))
            }
            None => Ok(()),
        }
    }

    /// Whether a key had room must be what was done about it, if its flow says `skip`.
    fn has_room(&self, run: &NewRun, taken: bool) -> Seen {
        let (WhenFull::Skip, Some(limit)) = (run.turn.when_full, run.turn.limit) else {
            return Ok(());
        };
        let key = key_of(run);
        let open = self.runs.values().filter(|other| {
            other.stands != Stands::Ended && key.is_some() && key_of(&other.run) == key
        });
        let open = open.count();
        if taken == (open < limit as usize) {
            return Ok(());
        }
        let done = if taken { "taken" } else { "skipped" };
        Err(format!("run {} was {done} with {open} of {limit} open runs of its key", run.id))
    }

    fn came(&mut self, run: &NewRun) {
        let mut watched = self.watched(run);
        if let (Some(debounce), Some(key)) = (run.turn.debounce, key_of(run)) {
            let now = run.queued_at;
            let before = self.newest.get(&key).filter(|newest| newest.due > now);
            let since = before.map_or(now, |newest| newest.since.min(now));
            let latest = since.plus(debounce.saturating_mul(DEBOUNCES));
            let due = now.plus(debounce).min(latest);
            self.newest.insert(key, Debounced { due, since });
            watched.due = Some(due);
        }
        self.runs.insert(run.id.clone(), watched);
    }

    fn watched(&self, run: &NewRun) -> Watched {
        Watched {
            run: run.clone(),
            stands: Stands::Queued,
            due: None,
            epoch: 0,
            begun: false,
            claimed: None,
            jumps: self.jumps,
        }
    }

    // --- going ---

    /// Runs were claimed. `is_over` says of a run whether the store has its end.
    pub(crate) fn claimed(
        &mut self,
        claims: &[Claim],
        now: Timestamp,
        is_over: &dyn Fn(&RunId) -> bool,
    ) -> Seen {
        for claim in claims {
            let id = claim.run.id.clone();
            let fresh = self.watched(&claim.run);
            let watched = self.runs.entry(id.clone()).or_insert(fresh);
            match &watched.stands {
                Stands::Queued => watched.stands = Stands::Claimed,
                other => return Err(format!("run {id} was claimed while it stood {other:?}")),
            }
            if claim.epoch <= watched.epoch {
                return Err(format!("run {id} was claimed with epoch {} again", claim.epoch));
            }
            watched.epoch = claim.epoch;
            watched.claimed = Some((now, self.jumps));
            let calm = watched.jumps == self.jumps;
            if let (Some(due), false, true) = (watched.due, watched.begun, calm)
                && due > now
            {
                return Err(format!("run {id} began before {due}, when it is due"));
            }
            self.takes_key(&claim.run, is_over)?;
            self.is_alone(&claim.run, is_over)?;
        }
        self.went_first(claims)?;
        for claim in claims {
            if let Some(watched) = self.runs.get_mut(&claim.run.id) {
                watched.begun = true;
            }
        }
        Ok(())
    }

    fn takes_key(&mut self, run: &NewRun, is_over: &dyn Fn(&RunId) -> bool) -> Seen {
        let (Some(key), Some(limit)) = (key_of(run), run.turn.limit) else { return Ok(()) };
        let holders = self.holders.entry(key).or_default();
        holders.insert(run.id.clone());
        if holders.len() > limit as usize {
            // One that was replaced before it was evaluated ended with the commit that accepted the
            // newer one.
            holders.retain(|holder| !is_over(holder));
        }
        if holders.len() > limit as usize {
            return Err(format!("a key that takes {limit} has {holders:?}"));
        }
        Ok(())
    }

    /// The runs of a schedule do not run side by side, whatever it says of slots that overlap.
    fn is_alone(&self, run: &NewRun, is_over: &dyn Fn(&RunId) -> bool) -> Seen {
        let Trigger::Schedule { .. } = run.trigger else { return Ok(()) };
        let other = self.runs.values().find(|other| {
            matches!(other.run.trigger, Trigger::Schedule { .. })
                && (&other.run.workspace, &other.run.flow) == (&run.workspace, &run.flow)
                && other.run.id != run.id
                && other.begun
                && other.stands != Stands::Ended
                && !is_over(&other.run.id)
        });
        match other {
            Some(other) => {
                Err(format!("run {} of a slot began before the end of {}", run.id, other.run.id))
            }
            None => Ok(()),
        }
    }

    /// Nobody who comes later by far, with what priorities are worth, begins before others.
    fn went_first(&self, claims: &[Claim]) -> Seen {
        let rank = |run: &NewRun| {
            let worth = i64::try_from(PRIORITY_STEP.as_micros()).unwrap_or(i64::MAX);
            run.queued_at.0 - i64::from(run.turn.priority) * worth
        };
        if self.jumps > 0 {
            return Ok(());
        }
        for claim in claims {
            let claimed = &claim.run;
            let began = self.runs.get(&claimed.id).is_none_or(|watched| watched.begun);
            let passed = self.runs.values().find(|other| {
                other.stands == Stands::Queued
                    && !other.begun
                    && !matches!(other.run.trigger, Trigger::Schedule { .. })
                    && other.run.workspace == claimed.workspace
                    && other.run.turn.key.is_none()
                    && rank(&other.run) + ABOUT < rank(claimed)
            });
            if let (false, Some(passed)) = (began, passed) {
                return Err(format!("run {} went before {}", claimed.id, passed.run.id));
            }
        }
        Ok(())
    }

    // --- what runs do ---

    pub(crate) fn wrote(&mut self, write: &Write, written: &Written) -> Seen {
        match written {
            Written::Done(_)
            | Written::Answered(_)
            | Written::Suspended { .. }
            | Written::Woken => {}
            Written::Fenced | Written::Claimed | Written::Rejected => return Ok(()),
        }
        match write {
            Write::Append { run, internal: Some(internal), .. } => {
                if let InternalEffect::Sleep { until } = internal.effect {
                    self.sleeps.insert((run.clone(), internal.key.clone()), until);
                }
            }
            Write::Append { internal: None, .. } => {}
            Write::Suspend { run, waits_for, .. } => {
                let waits = Stands::Waits(waits_for.clone());
                self.stand(run, if *written == Written::Woken { Stands::Queued } else { waits });
            }
            Write::Retry { run, until, .. } => {
                self.pauses(run, *until)?;
                self.stand(run, Stands::Pauses(*until));
            }
            Write::Release { run, .. } => self.stand(run, Stands::Queued),
            Write::Park { run, .. } => return Err(format!("run {run} is set aside: {write:?}")),
            Write::Continue { run, .. } => self.ended(run, State::Succeeded),
            Write::End { run, ending, .. } => self.ended(run, ending.state()),
            Write::Cancel { run, .. } => self.ended(run, State::Cancelled),
            Write::Fail { run, .. } => self.ended(run, State::Failed),
        }
        if let Written::Answered(answers) = written {
            answers.iter().try_for_each(|answer| self.answer(answer))?;
        }
        Ok(())
    }

    /// The next attempt is as far away as the flow wants it.
    fn pauses(&self, run: &RunId, until: Timestamp) -> Seen {
        let Some(Watched { run, claimed: Some((at, jumps)), .. }) = self.runs.get(run) else {
            return Ok(());
        };
        let flow = catalogue::find(run.workspace.as_str(), run.flow.as_str());
        let pause = flow.map_or(0, |flow| flow.pause) * 1_000_000;
        if *jumps == self.jumps && until.0 < at.0 + pause {
            return Err(format!("run {} is tried again at {until}, after {at}", run.id));
        }
        Ok(())
    }

    fn stand(&mut self, run: &RunId, stands: Stands) {
        if let Some(watched) = self.runs.get_mut(run) {
            watched.stands = stands;
        }
    }

    fn ended(&mut self, id: &RunId, state: State) {
        self.stand(id, Stands::Ended);
        let Some(Watched { run, .. }) = self.runs.get(id) else { return };
        if let Some(key) = key_of(run)
            && let Some(holders) = self.holders.get_mut(&key)
        {
            holders.remove(id);
        }
        let flow = FlowRef { workspace: run.workspace.clone(), flow: run.flow.clone() };
        let known = catalogue::find(flow.workspace.as_str(), flow.flow.as_str());
        if known.is_some_and(|flow| flow.recovers) {
            if state == State::Failed {
                self.failing.insert(flow);
            } else if state == State::Succeeded && self.failing.remove(&flow) {
                self.recoveries.insert(id.clone());
            }
        }
    }

    /// A wait has an answer, its first one.
    fn answer(&mut self, answer: &Answer) -> Seen {
        let Answer { run, key, woken, .. } = answer;
        if !self.answered.insert((run.clone(), key.clone())) {
            return Err(format!("the wait {key:?} of run {run} ended twice"));
        }
        let Some(watched) = self.runs.get_mut(run).filter(|_| *woken) else { return Ok(()) };
        match &watched.stands {
            Stands::Waits(keys) if keys.contains(key) => watched.stands = Stands::Queued,
            other => {
                return Err(format!("run {run} was woken by {key:?} while it stood {other:?}"));
            }
        }
        Ok(())
    }

    /// Moments have come, as the runner sees it; `clock` is what the clock has shown at most.
    pub(crate) fn expired(&mut self, now: Timestamp, clock: Timestamp, expired: &Expired) -> Seen {
        if now > clock {
            return Err(format!("waits were ended at {clock} as if it were {now}"));
        }
        for answer in &expired.answers {
            let until = self.sleeps.get(&(answer.run.clone(), answer.key.clone()));
            if let Some(until) = until.filter(|until| **until > now) {
                return Err(format!("run {} was woken at {now}, before {until}", answer.run));
            }
            self.answer(answer)?;
        }
        for named in &expired.retried {
            let Some(watched) = self.runs.get_mut(&named.run) else { continue };
            match watched.stands {
                Stands::Pauses(until) if until <= now => watched.stands = Stands::Queued,
                ref other => {
                    return Err(format!(
                        "run {} is tried again while it stood {other:?}",
                        named.run
                    ));
                }
            }
        }
        Ok(())
    }

    // --- schedules ---

    pub(crate) fn paused(&mut self, what: &Pausable) {
        self.paused.push(what.clone());
    }

    pub(crate) fn resumed(&mut self, what: &Pausable, at: Timestamp) {
        self.paused.retain(|other| other != what);
        self.resumed.push((what.clone(), at));
    }
}

fn key_of(run: &NewRun) -> Option<KeyOf> {
    Some((run.workspace.clone(), run.flow.clone(), run.turn.key.clone()?))
}

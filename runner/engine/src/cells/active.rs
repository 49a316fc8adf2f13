//! One run that a cell has.

use std::sync::Arc;
use std::time::Duration;

use signalbox_core::clock::Timestamp;
use signalbox_core::journal::{Chunk, Entry, Key, Outcome};
use signalbox_core::run::StepRecord;
use signalbox_core::{Digest, RunId, bounds};
use signalbox_store::contract::MAX_CHUNKS;
use tokio::time::Instant;

use super::history::History;
use super::plausible::{MAX_LOG, check_chunk, check_key};
use crate::link::{Assignment, Ticket};
use crate::recorder::RunRef;

/// Cheap entries become durable at the latest after this: DESIGN §6.1.
pub(super) const FLUSH_AFTER: Duration = Duration::from_millis(50);
/// A run that is asked to stop and does not is killed with its cell after this: DESIGN §5.
pub(super) const KILL_AFTER: Duration = Duration::from_millis(250);
/// A run that does nothing but wait for so long frees its cell: it is suspended.
pub(super) const HOLD: Duration = Duration::from_millis(10);
/// Most effects that one run may have under way: eight branches have one each (DESIGN §6.1), and
/// more is no honest cell's.
pub(super) const MAX_PENDING: usize = 16;
/// Most entries in the journal of one run: DESIGN §6.7.
pub(super) const MAX_ENTRIES: usize = bounds::ENTRIES;
/// Largest journal of one run: DESIGN §6.7.
pub(super) const MAX_JOURNAL: usize = bounds::JOURNAL;

/// Why a run is stopped. The first reason counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// All it does is wait.
    Suspend,
    /// It took too long.
    TimedOut,
    /// Its deadline has passed.
    Overdue,
    /// Its journal is full.
    JournalFull,
    /// Somebody asked for it.
    Cancel,
    /// The engine stops.
    Shutdown,
    /// Its claim is gone.
    Fenced,
}

/// Where a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// In the cell's socket.
    Sent,
    /// Evaluated by the cell, or waiting for its effects.
    Evaluating,
    /// It was asked to stop.
    Stopping { why: Stop, since: Instant },
}

/// An effect that is under way.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) ticket: Ticket,
    pub(super) key: Key,
    pub(super) kind: &'static str,
    pub(super) fingerprint: Digest,
    /// Since when there is nothing to do for it but to wait: for another run, or for a moment.
    pub(super) waiting: Option<Instant>,
    /// Whether that is known to take longer than a run is held in its cell: [`HOLD`].
    pub(super) long: bool,
    /// What is to be done once the entries before it are durable.
    pub(super) request: Option<Box<signalbox_cell::protocol::Request>>,
    /// The chunk that it waits for.
    pub(super) behind: u32,
    /// How long it may take.
    pub(super) within: Option<signalbox_cell::protocol::Within>,
    /// The outside effect that is being performed.
    pub(super) performing: Option<tokio::task::AbortHandle>,
}

impl Pending {
    /// An effect that was asked for, and nothing was done about.
    pub(super) fn new(ticket: Ticket, key: Key, kind: &'static str, fingerprint: Digest) -> Self {
        Self {
            ticket,
            key,
            kind,
            fingerprint,
            waiting: None,
            long: false,
            request: None,
            behind: 0,
            within: None,
            performing: None,
        }
    }
}

/// A run that a cell has.
#[derive(Debug)]
pub(super) struct Active {
    pub(super) assignment: Assignment,
    pub(super) of: Arc<RunRef>,
    pub(super) phase: Phase,
    /// The number of the next chunk.
    number: u32,
    /// When it became the one that is evaluated.
    pub(super) began: Option<(Instant, Timestamp)>,
    /// Entries that are not on their way to the store yet, and since when.
    buffer: Chunk,
    buffered: Option<Instant>,
    history: History,
    /// Effects that are under way, in the order in which they were asked for.
    pending: Vec<Pending>,
    /// Since when the cell says that all the run does is wait for them.
    idle: Option<Instant>,
    /// Outcomes that the cell was given.
    given: u32,
    entries: usize,
    bytes: usize,
    /// Bytes of log lines that came from this cell.
    log_bytes: usize,
    /// The last chunk that is known to be durable.
    durable: u32,
    /// Whether the cell spoke of it: it is sure that it is the one that is evaluated.
    pub(super) seen: bool,
    /// Whether somebody asked for its end before it began.
    pub(super) cancelled: bool,
    /// What it is suspended for.
    pub(super) suspend: Vec<Key>,
}

impl Active {
    pub(super) fn new(assignment: Assignment, journal: &[Entry]) -> Self {
        let run = &assignment.claim.run;
        let of = RunRef::of(run);
        Self {
            of: Arc::new(of),
            number: assignment.claim.next_chunk,
            durable: assignment.claim.next_chunk.saturating_sub(1),
            pending: Vec::new(),
            idle: None,
            given: 0,
            history: History::of(journal),
            entries: journal.len(),
            bytes: journal.iter().map(size).sum(),
            log_bytes: 0,
            assignment,
            phase: Phase::Sent,
            began: None,
            buffer: Chunk::default(),
            buffered: None,
            seen: false,
            cancelled: false,
            suspend: Vec::new(),
        }
    }

    pub(super) fn id(&self) -> &RunId {
        &self.assignment.claim.run.id
    }

    pub(super) fn epoch(&self) -> u64 {
        self.assignment.claim.epoch
    }

    pub(super) fn started_at(&self, now: Timestamp) -> Timestamp {
        let began = self.began.map_or(now, |(_, at)| at);
        self.assignment.claim.started_at.unwrap_or(began)
    }

    /// Active time so far, in microseconds.
    pub(super) fn active_us(&self) -> i64 {
        let this = self.began.map_or(Duration::ZERO, |(began, _)| began.elapsed());
        self.assignment.claim.active_us.saturating_add(i64::try_from(this.as_micros()).unwrap_or(0))
    }

    /// When its active time is used up.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let spec = &self.assignment.pinned.spec;
        let limit = spec.grants.limits.run_time;
        let own = spec.flows.get(&self.assignment.claim.run.flow).and_then(|flow| flow.timeout);
        let budget = own.map_or(limit, |own| own.min(limit));
        let used =
            Duration::from_micros(u64::try_from(self.assignment.claim.active_us).unwrap_or(0));
        self.began.map(|(began, _)| began + budget.saturating_sub(used))
    }

    /// Takes on an effect. Answers whether it was asked for before the run was suspended.
    ///
    /// # Errors
    /// What no honest cell does: too many at once, one that is under way already, or one that its
    /// journal has.
    pub(super) fn begin(&mut self, pending: Pending) -> Result<bool, String> {
        check_key(&pending.key)?;
        if self.pending.len() >= MAX_PENDING {
            return Err(format!("more than {MAX_PENDING} effects at once"));
        }
        if self.pending.iter().any(|other| other.key == pending.key) {
            return Err("an effect was asked for that is under way".to_owned());
        }
        let asked = self.history.ask(&pending.key, pending.kind, pending.fingerprint)?;
        self.idle = None;
        self.pending.push(pending);
        Ok(asked)
    }

    /// The cell says that nothing goes on until an effect has its outcome. When an outcome that it
    /// has not `seen` is on its way, something goes on: the cell says so again.
    pub(super) fn waits(&mut self, seen: u32) {
        if seen == self.given {
            self.idle.get_or_insert_with(Instant::now);
        }
    }

    /// The effect of this ticket, if it is under way.
    pub(super) fn pending(&mut self, ticket: Ticket) -> Option<&mut Pending> {
        self.pending.iter_mut().find(|pending| pending.ticket == ticket)
    }

    /// The ticket of the effect with this key. Its answer may be here before the word that it is
    /// recorded.
    pub(super) fn ticket_of(&self, key: &Key) -> Option<Ticket> {
        self.pending.iter().find(|pending| pending.key == *key).map(|pending| pending.ticket)
    }

    /// Whether effects are under way.
    pub(super) fn has_pending(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Takes an effect out that has its outcome: the cell goes on.
    pub(super) fn finish(&mut self, ticket: Ticket) -> Option<Pending> {
        let at = self.pending.iter().position(|pending| pending.ticket == ticket)?;
        self.idle = None;
        self.given = self.given.saturating_add(1);
        Some(self.pending.remove(at))
    }

    /// Ends what is under way; what it was is what a run that is suspended waits for.
    pub(super) fn abort(&mut self) -> Vec<Key> {
        self.idle = None;
        let pending = std::mem::take(&mut self.pending).into_iter();
        let abort = |pending: Pending| {
            if let Some(performing) = pending.performing {
                performing.abort();
            }
            pending.key
        };
        pending.map(abort).collect()
    }

    /// Looks at what the cell wants to have recorded.
    ///
    /// # Errors
    /// What no cell records: what is no cell's to record, or what the journal has.
    pub(super) fn check(&self, chunk: &Chunk) -> Result<(), String> {
        check_chunk(chunk)?;
        self.history.check(&chunk.entries)
    }

    /// Takes in what the cell wants to have recorded. Answers as [`Self::buffer`].
    ///
    /// # Errors
    /// What no cell records.
    pub(super) fn take_in(&mut self, chunk: Chunk) -> Result<bool, String> {
        self.check(&chunk)?;
        self.log_bytes += chunk.logs.iter().map(|line| line.message.len()).sum::<usize>();
        if self.log_bytes > MAX_LOG {
            return Err("more log lines than a run has".to_owned());
        }
        Ok(self.buffer(chunk))
    }

    /// Counts a value that the run has stored outside of its journal.
    pub(super) fn count(&mut self, bytes: usize) -> bool {
        self.bytes += bytes;
        self.bytes <= MAX_JOURNAL
    }

    /// Takes entries in. Answers whether the journal is within its bounds.
    pub(super) fn buffer(&mut self, chunk: Chunk) -> bool {
        if !chunk.is_empty() {
            self.entries += chunk.entries.len();
            self.bytes += chunk.entries.iter().map(size).sum::<usize>();
            self.bytes +=
                chunk.logs.iter().map(|l| l.message.len() + l.step.len() + 64).sum::<usize>();
            self.bytes += chunk.steps.iter().map(step_size).sum::<usize>();
            self.buffer.extend(chunk);
            self.buffered.get_or_insert_with(Instant::now);
        }
        // Half of the numbers are for what a run records while it ends.
        let numbers_are_left = self.number < MAX_CHUNKS / 2;
        self.entries <= MAX_ENTRIES && self.bytes <= MAX_JOURNAL && numbers_are_left
    }

    /// What was buffered, with the number it gets in the record. There is a number even for an
    /// empty chunk when `always`.
    pub(super) fn take(&mut self, always: bool) -> Option<(u32, Chunk)> {
        if self.buffer.is_empty() && !always {
            return None;
        }
        self.buffered = None;
        let number = self.number;
        self.number += 1;
        Some((number, std::mem::take(&mut self.buffer)))
    }

    /// What an outside effect must wait for: everything so far, whether it is buffered or on its
    /// way to the store. `None` when all of it is durable.
    pub(super) fn barrier(&mut self, ticket: Ticket) -> Option<(u32, Chunk)> {
        let under_way = self.number.saturating_sub(1) > self.durable;
        let barrier = self.take(under_way)?;
        if let Some(pending) = self.pending(ticket) {
            pending.behind = barrier.0;
        }
        Some(barrier)
    }

    /// Everything up to a chunk is durable: the recorder keeps the order.
    pub(super) fn is_durable(&mut self, chunk: u32) {
        self.durable = self.durable.max(chunk);
    }

    /// When what is buffered must be on its way.
    pub(super) fn flush_at(&self) -> Option<Instant> {
        self.buffered.map(|since| since + FLUSH_AFTER)
    }

    /// When the run has done nothing but wait for long enough to free its cell: at once when all that
    /// it waits for takes long. `None` while it does anything else.
    fn suspend_at(&self) -> Option<Instant> {
        let mut since = self.idle?;
        for pending in &self.pending {
            since = since.max(pending.waiting?);
        }
        let long = self.pending.iter().all(|pending| pending.long);
        Some(if long { since } else { since + HOLD })
    }

    /// Whether the run has waited for long enough to free its cell.
    pub(super) fn waited_enough(&self, now: Instant) -> bool {
        self.suspend_at().is_some_and(|at| at <= now)
    }

    /// When somebody must look at the run again, if nothing happens before.
    pub(super) fn wake_at(&self) -> Option<Instant> {
        let stop = match &self.phase {
            Phase::Stopping { since, .. } => Some(*since + KILL_AFTER),
            Phase::Sent | Phase::Evaluating => {
                self.deadline().into_iter().chain(self.suspend_at()).min()
            }
        };
        stop.into_iter().chain(self.flush_at()).min()
    }
}

/// What an entry counts towards the bound of the journal.
pub(super) fn size(entry: &Entry) -> usize {
    let outcome = match &entry.outcome {
        Outcome::Pending => 0,
        Outcome::Done(bytes) => bytes.len(),
        Outcome::Failed(failure) => failure.message.len(),
    };
    outcome + entry.key.scope.len() + entry.kind.len() + 64
}

/// What the record of a step counts towards it.
fn step_size(step: &StepRecord) -> usize {
    step.id.len() + step.error.as_ref().map_or(0, String::len) + 64
}

#[cfg(test)]
mod tests {
    use signalbox_core::run::{NewRun, Trigger};
    use signalbox_core::{DeploymentId, Digest, RunId};
    use signalbox_store::contract::Claim;

    use super::*;
    use crate::revisions::Pinned;

    fn active(journal: &[Entry]) -> Active {
        let claim = Claim {
            run: NewRun {
                id: RunId::from_parts(1, [1; 10]),
                workspace: "one".parse().unwrap(),
                flow: "f".parse().unwrap(),
                deployment: DeploymentId(1),
                trigger: Trigger::Api,
                inputs: Vec::new(),
                chain: Vec::new(),
                queued_at: Timestamp(0),
                deadline: None,
                turn: signalbox_core::turn::Turn::default(),
            },
            epoch: 1,
            attempt: 1,
            next_chunk: 1,
            lost_cells: 0,
            recovered: 0,
            note: false,
            active_us: 0,
            started_at: None,
        };
        let pinned = Arc::new(Pinned::for_tests(DeploymentId(1)));
        Active::new(Assignment { claim, pinned, suspect: false, refused: 0 }, journal)
    }

    fn key(ordinal: u32) -> Key {
        Key { scope: String::new(), attempt: 1, ordinal }
    }

    fn ticket(effect: u32) -> Ticket {
        Ticket { run: 1, effect }
    }

    fn pending(effect: u32) -> Pending {
        Pending::new(ticket(effect), key(effect), "sleep", Digest::of(b"request"))
    }

    fn later() -> Instant {
        Instant::now() + HOLD
    }

    fn entry(ordinal: u32, outcome: Outcome) -> Entry {
        let fingerprint = Digest::of(b"request");
        Entry { key: key(ordinal), kind: "sleep".into(), fingerprint, outcome, at: Timestamp(0) }
    }

    fn read(ordinal: u32) -> Chunk {
        Chunk { entries: vec![entry(ordinal, Outcome::Done(Vec::new()))], ..Chunk::default() }
    }

    /// Begins an effect that waits.
    fn wait(active: &mut Active, effect: u32) {
        active.begin(pending(effect)).unwrap();
        active.pending(ticket(effect)).unwrap().waiting = Some(Instant::now());
    }

    #[test]
    fn an_outside_effect_waits_for_what_is_on_its_way_to_the_store() {
        let mut active = active(&[]);
        active.begin(pending(1)).unwrap();
        assert_eq!(active.barrier(ticket(1)), None, "nothing came before");
        active.buffer(read(7));
        assert_eq!(active.take(false), Some((1, read(7))), "flushed, and nobody was told");
        let (number, chunk) = active.barrier(ticket(1)).expect("it is not durable yet");
        assert_eq!((number, chunk.is_empty()), (2, true));
        active.begin(pending(2)).unwrap();
        assert_eq!(active.barrier(ticket(2)).unwrap().0, 3, "another branch's effect waits, too");
        active.is_durable(2);
        assert_eq!(active.barrier(ticket(2)).unwrap().0, 4, "3 is not durable yet");
        let behind = active.pending(ticket(2)).unwrap().behind;
        active.is_durable(behind);
        assert_eq!(active.barrier(ticket(1)), None);
        active.buffer(read(8));
        assert_eq!(active.barrier(ticket(1)), Some((5, read(8))));
    }

    #[test]
    fn a_run_is_suspended_when_all_that_it_does_is_wait() {
        let mut active = active(&[]);
        wait(&mut active, 1);
        assert!(!active.waited_enough(later()), "the cell did not say that it waits");
        active.begin(pending(2)).unwrap();
        active.waits(0);
        assert!(!active.waited_enough(later()), "2 is being done");
        active.pending(ticket(2)).unwrap().waiting = Some(Instant::now());
        assert!(!active.waited_enough(Instant::now()), "for so long only");
        assert!(active.waited_enough(later()));
        assert_eq!(active.abort(), [key(1), key(2)]);
    }

    #[test]
    fn a_run_that_waits_for_long_is_suspended_at_once() {
        let mut active = active(&[]);
        wait(&mut active, 1);
        active.pending(ticket(1)).unwrap().long = true;
        assert!(!active.waited_enough(later()), "the cell did not say that it waits");
        active.waits(0);
        assert!(active.waited_enough(Instant::now()));
        wait(&mut active, 2);
        active.waits(0);
        assert!(!active.waited_enough(Instant::now()), "2 may be over soon");
        assert!(active.waited_enough(later()));
    }

    #[test]
    fn a_run_whose_outcome_is_on_its_way_does_not_wait() {
        let mut active = active(&[]);
        wait(&mut active, 1);
        wait(&mut active, 2);
        active.waits(0);
        assert!(active.waited_enough(later()));
        active.finish(ticket(1)).unwrap();
        active.waits(0);
        assert!(!active.waited_enough(later()), "it was said before the outcome came");
        active.waits(1);
        assert!(active.waited_enough(later()));
        wait(&mut active, 3);
        assert!(!active.waited_enough(later()), "a branch went on");
    }

    #[test]
    fn what_no_honest_cell_asks_for_is_refused() {
        let mut active = active(&[]);
        for effect in 0..u32::try_from(MAX_PENDING).unwrap() {
            active.begin(pending(effect)).unwrap();
            assert!(active.begin(pending(effect)).is_err(), "the same twice");
        }
        assert!(active.begin(pending(1_000)).is_err(), "more than eight branches can have");
    }

    #[test]
    fn what_was_asked_for_before_only_lacks_its_answer() {
        let mut active = active(&[entry(1, Outcome::Pending)]);
        assert!(active.begin(pending(1)).unwrap());
        assert!(!active.begin(pending(2)).unwrap());
        assert_eq!((active.ticket_of(&key(1)), active.ticket_of(&key(4))), (Some(ticket(1)), None));
    }
}

//! One run that a cell has.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use signalbox_core::clock::Timestamp;
use signalbox_core::journal::{Chunk, Entry, Key, Outcome};
use signalbox_core::run::StepRecord;
use signalbox_core::{Digest, RunId};

use crate::link::{Assignment, Ticket};
use crate::recorder::RunRef;

/// Cheap entries become durable at the latest after this: DESIGN §6.1.
pub(super) const FLUSH_AFTER: Duration = Duration::from_millis(50);
/// A run that is asked to stop and does not is killed with its cell after this: DESIGN §5.
pub(super) const KILL_AFTER: Duration = Duration::from_millis(250);
/// A call that is not answered by then frees its cell: the run is suspended.
pub(super) const HOLD: Duration = Duration::from_millis(10);
/// Most entries in the journal of one run: DESIGN §6.7.
pub(super) const MAX_ENTRIES: usize = 10_000;
/// Largest journal of one run: DESIGN §6.7.
pub(super) const MAX_JOURNAL: usize = 64 << 20;

/// Why a run is stopped. The first reason counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// All it does is wait for a call.
    Suspend,
    /// It took too long.
    TimedOut,
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
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Phase {
    /// In the cell's socket.
    Sent,
    /// Evaluated by the cell.
    Evaluating,
    /// Its cell waits for the outcome of this effect.
    InEffect(Pending),
    /// It was asked to stop.
    Stopping { why: Stop, since: Instant },
}

/// An effect that is under way.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Pending {
    pub(super) ticket: Ticket,
    pub(super) key: Key,
    pub(super) kind: &'static str,
    pub(super) fingerprint: Digest,
    /// Since when a called run is waited for, once the call is made.
    pub(super) waiting: Option<Instant>,
    /// When that wait ends at the latest.
    pub(super) until: Option<Timestamp>,
    /// What is to be done once the entries before it are durable.
    pub(super) request: Option<Box<signalbox_cell::protocol::Request>>,
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
    /// Calls whose answer the journal did not have when the run was started, and when they were
    /// made.
    pub(super) asked: HashMap<Key, Timestamp>,
    entries: usize,
    bytes: usize,
    /// Whether something was sent to the store that nobody waits for.
    pub(super) unconfirmed: bool,
    /// Whether the cell spoke of it: it is sure that it is the one that is evaluated.
    pub(super) seen: bool,
    /// Whether somebody asked for its end before it began.
    pub(super) cancelled: bool,
    /// The call that it is suspended for, and when the wait ends.
    pub(super) suspend: Option<(Key, Option<Timestamp>)>,
    /// The outside effect that is being performed.
    pub(super) performing: Option<tokio::task::AbortHandle>,
}

impl Active {
    pub(super) fn new(assignment: Assignment, journal: &[Entry]) -> Self {
        let pending = |entry: &&Entry| entry.outcome == Outcome::Pending;
        let run = &assignment.claim.run;
        let of = RunRef {
            run: run.id.clone(),
            workspace: run.workspace.clone(),
            flow: run.flow.clone(),
        };
        Self {
            of: Arc::new(of),
            number: assignment.claim.next_chunk,
            asked: journal
                .iter()
                .filter(pending)
                .map(|entry| (entry.key.clone(), entry.at))
                .collect(),
            entries: journal.len(),
            bytes: journal.iter().map(size).sum(),
            assignment,
            phase: Phase::Sent,
            began: None,
            buffer: Chunk::default(),
            buffered: None,
            unconfirmed: false,
            seen: false,
            cancelled: false,
            suspend: None,
            performing: None,
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

    /// The effect that is under way, if it is the one of this ticket.
    pub(super) fn pending(&mut self, ticket: Ticket) -> Option<&mut Pending> {
        match &mut self.phase {
            Phase::InEffect(pending) if pending.ticket == ticket => Some(pending),
            Phase::Sent | Phase::Evaluating | Phase::InEffect(_) | Phase::Stopping { .. } => None,
        }
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
        self.entries <= MAX_ENTRIES && self.bytes <= MAX_JOURNAL
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

    /// When what is buffered must be on its way.
    pub(super) fn flush_at(&self) -> Option<Instant> {
        self.buffered.map(|since| since + FLUSH_AFTER)
    }

    /// Whether a call was waited for long enough to free the cell.
    pub(super) fn waited_enough(&self, now: Instant) -> bool {
        match &self.phase {
            Phase::InEffect(Pending { waiting: Some(since), .. }) => *since + HOLD <= now,
            Phase::Sent | Phase::Evaluating | Phase::InEffect(_) | Phase::Stopping { .. } => false,
        }
    }

    /// When somebody must look at the run again, if nothing happens before.
    pub(super) fn wake_at(&self) -> Option<Instant> {
        let stop = match &self.phase {
            Phase::Stopping { since, .. } => Some(*since + KILL_AFTER),
            Phase::InEffect(Pending { waiting: Some(since), .. }) => Some(*since + HOLD),
            Phase::Sent | Phase::Evaluating | Phase::InEffect(_) => self.deadline(),
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

//! Accepting, claiming and writing runs.

use signalbox_core::broker::Rule;
use signalbox_core::clock::Timestamp;
use signalbox_core::ids::FlowRef;
use signalbox_core::journal::{Chunk, Failure, Key, Outcome};
use signalbox_core::run::{Ending, NewRun, Reason, RunError};
use signalbox_core::{Digest, FlowName, RunId, WorkspaceName};

use super::Slot;

/// A run that is to be accepted, and on which conditions.
#[derive(Debug, Clone, PartialEq)]
pub struct Accept {
    /// The run.
    pub run: NewRun,
    /// The slot it fires for: accepted only when it is later than the schedule's last one, which
    /// it then becomes.
    pub slot: Option<Slot>,
    /// A key under which the same request is accepted once.
    pub idempotency: Option<IdempotencyKey>,
    /// Most runs of its workspace that may wait. Over it, a run with a slot is recorded as
    /// skipped and any other is refused.
    pub queue_bound: u32,
}

/// A client's promise that two requests are the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey {
    /// The client's key, at most 200 characters. Known per workspace and flow, for seven days.
    pub key: String,
    /// Digest of the inputs: the same key with others is a conflict.
    pub inputs: Digest,
}

/// What became of an [`Accept`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Accepted {
    /// It is queued, durably; behind earlier runs of its schedule if its slot says so.
    Queued,
    /// The same request was accepted before, as this run.
    Known(RunId),
    /// The key was used with other inputs, for this run.
    Conflict(RunId),
    /// The slot, or a later one, has fired already, or its schedule is paused.
    Stale,
    /// The run of an earlier slot has not ended and is to be cancelled first. The slot is as it
    /// was.
    Overlaps(RunId),
    /// The queue is full; a slot is recorded as skipped.
    Full,
    /// It is recorded as skipped: an earlier run of its schedule has not ended, or its key is full
    /// and its flow says `when_full: skip`.
    Skipped,
}

/// How many queued runs a workspace has that nobody claimed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// The workspace.
    pub workspace: WorkspaceName,
    /// How many.
    pub runs: usize,
}

/// How many runs of a workspace a runner wants to claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Want {
    /// The workspace.
    pub workspace: WorkspaceName,
    /// At most so many.
    pub runs: usize,
}

/// A claimed run.
#[derive(Debug, Clone, PartialEq)]
pub struct Claim {
    /// The run.
    pub run: NewRun,
    /// Fences every later write: one with another epoch is refused.
    pub epoch: u64,
    /// Attempt of the run as a whole, from 1.
    pub attempt: u32,
    /// Number that the next chunk has, from 1. Above 1 there is a journal to replay.
    pub next_chunk: u32,
    /// Cells that died while they evaluated it.
    pub lost_cells: u32,
    /// Starts of the runner that found it being evaluated since it last came further (an entry was
    /// added, or it was suspended): as often its runner died without that.
    pub recovered: u32,
    /// Whether an empty chunk must be durable before it is evaluated, so that the next start knows
    /// of it: an earlier start found it being evaluated, or it was queued when a runner died, which
    /// may have had it and died of it.
    pub note: bool,
    /// Active time it used before this claim, in microseconds.
    pub active_us: i64,
    /// When it was first claimed; `None` when this is the first time.
    pub started_at: Option<Timestamp>,
}

/// Chunks of a run have numbers from 1 to below this. At one for each 50 ms of evaluation (DESIGN
/// §6.1) it is nine days and a half.
pub const MAX_CHUNKS: u32 = 1 << 24;

/// One durable change of a run. All but `Cancel` and `Fail` come from who has the claim, and are
/// refused with [`Written::Fenced`] when `epoch` is no longer the run's.
#[derive(Debug, Clone, PartialEq)]
pub enum Write {
    /// Adds to the record, and performs an internal effect in the same transaction.
    Append {
        /// The run.
        run: RunId,
        /// Of its claim.
        epoch: u64,
        /// The number of the chunk; refused when it is not the next one.
        number: u32,
        /// When the run was started; kept the first time.
        started_at: Timestamp,
        /// What is added. Recorded even when nothing is in it but the effect's own entry.
        chunk: Chunk,
        /// The effect to perform; its entry goes behind those of the chunk. Boxed: most have none.
        internal: Option<Box<Internal>>,
    },
    /// All that the run does is wait. It is queued again when one of these entries is answered;
    /// at once, with [`Written::Woken`], when one is already.
    Suspend {
        /// The run.
        run: RunId,
        /// Of its claim.
        epoch: u64,
        /// The entries that it waits for.
        waits_for: Vec<Key>,
        /// Active time so far, in microseconds.
        active_us: i64,
    },
    /// The attempt failed and another one is made later: suspended until then. Whoever waits for
    /// the run goes on waiting.
    Retry {
        /// The run.
        run: RunId,
        /// Of its claim.
        epoch: u64,
        /// The number of the chunk.
        number: u32,
        /// When the run was started.
        started_at: Timestamp,
        /// What is added.
        chunk: Chunk,
        /// When the next attempt begins.
        until: Timestamp,
        /// How this one failed.
        error: RunError,
        /// Active time so far, in microseconds.
        active_us: i64,
    },
    /// The run succeeds, and another one takes over: it is queued, and whoever waits for the run
    /// waits for that one, all in the same transaction. No queue is too full for it.
    Continue {
        /// The run.
        run: RunId,
        /// Of its claim.
        epoch: u64,
        /// The number of the chunk.
        number: u32,
        /// When the run was started.
        started_at: Timestamp,
        /// What is added.
        chunk: Chunk,
        /// When it ends.
        ended_at: Timestamp,
        /// Isolation level of the cell that evaluated it: 0 to 3.
        isolation: u8,
        /// The run that takes over; its id becomes the result.
        successor: Box<NewRun>,
    },
    /// The run ends. Whoever waits for it is answered and woken in the same transaction.
    End {
        /// The run.
        run: RunId,
        /// Of its claim.
        epoch: u64,
        /// The number of the chunk.
        number: u32,
        /// When the run was started.
        started_at: Timestamp,
        /// What is added.
        chunk: Chunk,
        /// How it ends.
        ending: Ending,
        /// When.
        ended_at: Timestamp,
        /// Isolation level of the cell that evaluated it: 0 to 3.
        isolation: u8,
        /// What the waiting caller gets.
        answer: Outcome,
        /// What the ending starts, in the same transaction. Boxed: most start nothing.
        aftermath: Option<Box<Aftermath>>,
    },
    /// The run goes back to the queue, first in line.
    Release {
        /// The run.
        run: RunId,
        /// Of its claim.
        epoch: u64,
        /// Whether its cell died. Counted durably.
        cell_lost: bool,
        /// Active time so far, in microseconds.
        active_us: i64,
    },
    /// A run cannot go on and a person must look: suspended as `incompatible`.
    Park {
        /// The run.
        run: RunId,
        /// Of its claim.
        epoch: u64,
        /// Why, for people.
        message: String,
        /// [`Reason::Incompatible`] today.
        reason: Reason,
    },
    /// Ends a run that nobody has claimed, whatever its state. A claimed one is answered with
    /// [`Written::Claimed`]: its runner must end it.
    Cancel {
        /// The run.
        run: RunId,
        /// When.
        at: Timestamp,
        /// What the waiting caller gets.
        answer: Outcome,
    },
    /// Ends a run that nobody has claimed with a failure: its deadline has passed. A claimed one is
    /// answered with [`Written::Claimed`]: its runner must end it.
    Fail {
        /// The run.
        run: RunId,
        /// When.
        at: Timestamp,
        /// Why it failed.
        reason: Reason,
        /// How.
        error: RunError,
        /// What the ending starts, in the same transaction.
        aftermath: Option<Box<Aftermath>>,
    },
}

/// What became of a [`Write`].
#[derive(Debug, Clone, PartialEq)]
pub enum Written {
    /// Done. The outcome is that of the internal effect, if there was one.
    Done(Option<Outcome>),
    /// Done; these waits were answered by it.
    Answered(Vec<Answer>),
    /// The run is suspended, and what is known of its end.
    Suspended {
        /// What it waits for.
        reason: Reason,
        /// When the first of its waits ends by itself.
        until: Option<Timestamp>,
    },
    /// The run was to be suspended, but what it waits for is there: it is queued again.
    Woken,
    /// The epoch or the number is not the run's: somebody else has it. Nothing was written.
    Fenced,
    /// The run is claimed: whoever has the claim must do it. Nothing was written.
    Claimed,
    /// The run's state does not allow it. Nothing was written.
    Rejected,
}

/// A run that a newer one took the place of.
#[derive(Debug, Clone, PartialEq)]
pub enum Displaced {
    /// It had not begun and is recorded as skipped.
    Ended {
        /// The run.
        run: RunId,
        /// Its workspace.
        workspace: WorkspaceName,
        /// Its flow.
        flow: FlowName,
        /// The waits that were answered by it.
        answers: Vec<Answer>,
    },
    /// It has begun: whoever hears this must cancel it. The newer one waits for its end.
    Cancel(RunId),
}

/// A wait that was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The run that waits, or waited.
    pub run: RunId,
    /// Its workspace.
    pub workspace: WorkspaceName,
    /// Its flow.
    pub flow: FlowName,
    /// The entry that it waits for.
    pub key: Key,
    /// What it got.
    pub outcome: Outcome,
    /// Whether it was suspended and is queued now; otherwise its cell is waiting for this.
    pub woken: bool,
}

/// What [`super::Store::expire`] did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Expired {
    /// Waits that ended: a moment that came, a call that took too long.
    pub answers: Vec<Answer>,
    /// Runs that are queued again for their next attempt.
    pub retried: Vec<Named>,
    /// Runs whose deadline has passed. Nothing was done about them.
    pub overdue: Vec<Named>,
    /// Whether more is due than one call takes.
    pub more: bool,
}

/// A run with the names of what it belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// The run.
    pub run: RunId,
    /// Its workspace.
    pub workspace: WorkspaceName,
    /// Its flow.
    pub flow: FlowName,
}

/// An internal effect with the entry it leaves.
#[derive(Debug, Clone, PartialEq)]
pub struct Internal {
    /// Where it stands in its run.
    pub key: Key,
    /// The host function.
    pub kind: String,
    /// Digest of the request.
    pub fingerprint: Digest,
    /// When.
    pub at: Timestamp,
    /// What to do.
    pub effect: InternalEffect,
}

/// What an internal effect does, inside the transaction that records it.
#[derive(Debug, Clone, PartialEq)]
pub enum InternalEffect {
    /// Changes a value of the workspace's state.
    State {
        /// The workspace.
        workspace: WorkspaceName,
        /// The value's name, at most 200 bytes.
        name: String,
        /// The change.
        change: StateChange,
    },
    /// Starts a run in another workspace. Boxed: it is much larger than the others.
    Call(Box<NewCall>),
    /// Starts a run in the same workspace.
    Flow(Box<NewFlow>),
    /// Waits for the end of a run that this one started, or of the last of its successors. The
    /// outcome is its answer when it has ended, a failure when it is not one of this run's.
    Wait {
        /// The run that is waited for.
        run: RunId,
    },
    /// Waits for a moment; the answer is null.
    Sleep {
        /// The moment.
        until: Timestamp,
    },
    /// Records that the broker refused a call, and starts the runs that handle it.
    /// The outcome is the failure.
    Refused(Box<CallRecord>, Failure, Vec<NewRun>),
}

/// What the ending of a run starts: once, with the ending, or not at all.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Aftermath {
    /// What is started whatever ended before.
    pub started: Vec<Handling>,
    /// For a flow that has a handler of recoveries.
    pub recovery: Option<Recovery>,
    /// Whether it is a success that was expected: no later than its `absence` says.
    pub expected: bool,
}

/// What is done about an ending.
#[derive(Debug, Clone, PartialEq)]
pub enum Handling {
    /// A run is started, whatever its queue holds.
    Run(Box<NewRun>),
    /// A call that nobody waits for is made, and recorded.
    Call(Box<NewCall>),
    /// The call would have been made, and is recorded as refused.
    Refused(Box<CallRecord>),
}

/// What an ending means to the handler of recoveries. Recoveries are of a flow, or of one of its
/// schedules when that has handlers of its own.
#[derive(Debug, Clone, PartialEq)]
pub enum Recovery {
    /// The run failed: the next success is a recovery.
    Awaited {
        /// The schedule, when its failures are told apart from those of the flow's other runs.
        schedule: Option<String>,
    },
    /// The run succeeded: the handler starts if a recovery was awaited, which it is no longer.
    Over {
        /// The schedule, as above.
        schedule: Option<String>,
        /// What is started.
        started: Vec<Handling>,
    },
}

/// A change of a value of the state. Values are canonical bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StateChange {
    /// Sets it. Outcome: null.
    Set(Vec<u8>),
    /// Adds to it; a missing one counts as zero. Outcome: the sum, or a failure when either is no
    /// integer or the sum overflows.
    Add(i64),
    /// Sets it when it is what is expected (`None`: missing). Outcome: whether it was.
    Swap {
        /// What it must be.
        expected: Option<Vec<u8>>,
        /// What it becomes.
        value: Vec<u8>,
    },
    /// Forgets it. Outcome: whether it was there.
    Delete,
}

/// A call that the broker allowed.
#[derive(Debug, Clone, PartialEq)]
pub struct NewCall {
    /// The run it starts.
    pub run: NewRun,
    /// Most runs of the callee's workspace that may wait; over it the call is refused by
    /// [`Rule::QueueFull`] and the outcome is a failure.
    pub queue_bound: u32,
    /// The record of the decision.
    pub record: CallRecord,
    /// Whether the caller waits for the result: the outcome is [`Outcome::Pending`] until the run
    /// ends. Otherwise it is the run's id.
    pub wait: bool,
    /// When the caller waits no longer: the call fails then with `CallTimedOut`.
    pub until: Option<Timestamp>,
}

/// A run of a flow of the same workspace.
#[derive(Debug, Clone, PartialEq)]
pub struct NewFlow {
    /// The run it starts.
    pub run: NewRun,
    /// Most runs of the workspace that may wait; over it the outcome is a failure.
    pub queue_bound: u32,
    /// Whether the caller waits for the result, as in [`NewCall::wait`].
    pub wait: bool,
}

/// A decision of the broker, as recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallRecord {
    /// When.
    pub at: Timestamp,
    /// Allowed or refused.
    pub decision: CallDecision,
    /// The rule that decided.
    pub rule: Rule,
    /// The calling flow.
    pub caller: FlowRef,
    /// The calling run; `None` when an alarm called.
    pub caller_run: Option<RunId>,
    /// What was named, at most 300 bytes.
    pub target: String,
    /// The flow behind it, when it was found.
    pub callee: Option<(WorkspaceName, FlowName)>,
    /// The service and its version, when one was named and found.
    pub service: Option<(String, u32)>,
    /// Digest of the inputs.
    pub inputs: Digest,
}

/// Whether a call was let through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CallDecision {
    /// It was.
    Allowed,
    /// It was not.
    Refused,
}

impl CallDecision {
    /// `allowed` or `refused`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Refused => "refused",
        }
    }
}

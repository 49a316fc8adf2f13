//! A run and its states.

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::codes::Code;
use crate::ids::{DeploymentId, FlowName, FlowRef, RunId, WorkspaceName};
use crate::turn::Turn;

/// The states of a run. Everything finer is a [`Reason`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Accepted; waits to be evaluated.
    Queued,
    /// Evaluated by a cell.
    Running,
    /// Waits for something; holds nothing.
    Suspended,
    /// Ended well.
    Succeeded,
    /// Ended badly.
    Failed,
    /// Ended because somebody asked for it.
    Cancelled,
    /// Recorded; its flow was not run.
    Skipped,
}

impl State {
    /// Every state.
    pub const ALL: [Self; 7] = [
        Self::Queued,
        Self::Running,
        Self::Suspended,
        Self::Succeeded,
        Self::Failed,
        Self::Cancelled,
        Self::Skipped,
    ];

    /// Whether nothing can happen to the run any more.
    pub fn is_terminal(self) -> bool {
        match self {
            Self::Queued | Self::Running | Self::Suspended => false,
            Self::Succeeded | Self::Failed | Self::Cancelled | Self::Skipped => true,
        }
    }

    /// The state's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Suspended => "suspended",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Skipped => "skipped",
        }
    }
}

impl std::str::FromStr for State {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = Self::ALL.into_iter().find(|state| state.as_str() == text);
        known.ok_or_else(|| format!("`{text}` is not a state of a run"))
    }
}

/// Why a run is in its state; a closed list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// It took longer than it may.
    TimedOut,
    /// It went over a bound.
    LimitExceeded,
    /// Its script failed.
    ScriptError,
    /// Its cell died twice.
    CellLost,
    /// The broker or a grant refused what it needs.
    Denied,
    /// Waits for a run that it called.
    WaitingCall,
    /// Waits for a moment.
    WaitingUntil,
    /// Its last attempt failed; it waits for the next one.
    WaitingRetry,
    /// Its replay does not match its journal; waits for a person.
    Incompatible,
    /// Somebody cancelled it, or the run that waited for it.
    CancelRequested,
    /// The run of an earlier slot of its schedule had not ended.
    Overlap,
    /// Waits until the runs of earlier slots of its schedule have ended.
    WaitingOverlap,
    /// `dynamic` of its schedule said that it is not wanted.
    NotWanted,
    /// A newer run took its place: `debounce`, or `when_full: cancel_running`.
    Superseded,
    /// Its key was full, and its flow says `when_full: skip`.
    ConcurrencyLimit,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Self; 15] = [
        Self::TimedOut,
        Self::LimitExceeded,
        Self::ScriptError,
        Self::CellLost,
        Self::Denied,
        Self::WaitingCall,
        Self::WaitingUntil,
        Self::WaitingRetry,
        Self::Incompatible,
        Self::CancelRequested,
        Self::Overlap,
        Self::WaitingOverlap,
        Self::NotWanted,
        Self::Superseded,
        Self::ConcurrencyLimit,
    ];

    /// The reason's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TimedOut => "timed_out",
            Self::LimitExceeded => "limit_exceeded",
            Self::ScriptError => "script_error",
            Self::CellLost => "cell_lost",
            Self::Denied => "denied",
            Self::WaitingCall => "waiting_call",
            Self::WaitingUntil => "waiting_until",
            Self::WaitingRetry => "waiting_retry",
            Self::Incompatible => "incompatible",
            Self::CancelRequested => "cancel_requested",
            Self::Overlap => "overlap",
            Self::WaitingOverlap => "waiting_overlap",
            Self::NotWanted => "not_wanted",
            Self::Superseded => "superseded",
            Self::ConcurrencyLimit => "concurrency_limit",
        }
    }
}

impl std::str::FromStr for Reason {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = Self::ALL.into_iter().find(|reason| reason.as_str() == text);
        known.ok_or_else(|| format!("`{text}` is not a reason"))
    }
}

/// What started a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Trigger {
    /// A slot of a schedule.
    Schedule {
        /// The schedule's identity.
        schedule: String,
        /// The slot's nominal time.
        slot: Timestamp,
    },
    /// A call through the broker.
    Call {
        /// Who called.
        caller: FlowRef,
        /// The run that called.
        run: RunId,
        /// The service that was named, if one was.
        service: Option<String>,
    },
    /// How another run ended, which this one handles.
    Handler {
        /// What happened.
        event: crate::occasion::Event,
        /// The flow that it happened to.
        flow: FlowRef,
        /// Its run.
        of: RunId,
        /// The service that was named as the handler, if one was.
        service: Option<String>,
    },
    /// An alarm that was raised, or is over.
    Alarm {
        /// What it is about.
        subject: crate::occasion::Subject,
        /// Whether it is over.
        recovered: bool,
        /// The service that was named as the handler, if one was.
        service: Option<String>,
    },
    /// A request from outside.
    Webhook {
        /// The webhook's name in its workspace.
        webhook: String,
    },
    /// The API, or a command that speaks to it.
    Api,
    /// A re-run of an ended run.
    Retry {
        /// The run that is repeated.
        of: RunId,
        /// What had started the first of the runs that it repeats; `None` of runs that were
        /// accepted before this was kept.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        root: Option<Box<Trigger>>,
    },
    /// A run of the same workspace, at the same revision: `flow::run` or `flow::start`.
    Flow {
        /// The flow that started it.
        caller: FlowRef,
        /// Its run.
        run: RunId,
    },
    /// `continue_as` of the run before.
    Continue {
        /// That run.
        of: RunId,
        /// What had started the first of the runs that it continues; `None` of runs that were
        /// accepted before this was kept.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        root: Option<Box<Trigger>>,
    },
}

impl Trigger {
    /// The kind's name.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Schedule { .. } => "schedule",
            Self::Call { .. } => "call",
            Self::Handler { .. } => "handler",
            Self::Alarm { .. } => "alarm",
            Self::Webhook { .. } => "webhook",
            Self::Api => "api",
            Self::Retry { .. } => "retry",
            Self::Flow { .. } => "flow",
            Self::Continue { .. } => "continue",
        }
    }

    /// What had started the first of the runs that this one repeats or continues; otherwise itself.
    pub fn root(&self) -> &Self {
        match self {
            Self::Retry { root: Some(root), .. } | Self::Continue { root: Some(root), .. } => root,
            Self::Schedule { .. }
            | Self::Call { .. }
            | Self::Flow { .. }
            | Self::Handler { .. }
            | Self::Alarm { .. }
            | Self::Webhook { .. }
            | Self::Api
            | Self::Retry { root: None, .. }
            | Self::Continue { root: None, .. } => self,
        }
    }

    /// Whether the run handles the end of another or tells of an alarm, or repeats or continues one
    /// that does: its own end starts nothing, and says nothing of the health of its workspace.
    pub fn handles(&self) -> bool {
        matches!(self.root(), Self::Handler { .. } | Self::Alarm { .. })
    }

    /// The run that started this one and may wait for it.
    pub fn parent(&self) -> Option<&RunId> {
        match self {
            Self::Call { run, .. } | Self::Flow { run, .. } => Some(run),
            Self::Schedule { .. }
            | Self::Handler { .. }
            | Self::Alarm { .. }
            | Self::Webhook { .. }
            | Self::Api
            | Self::Retry { .. }
            | Self::Continue { .. } => None,
        }
    }
}

/// A run that is to be accepted.
#[derive(Debug, Clone, PartialEq)]
pub struct NewRun {
    /// Its id, made by whoever accepts it.
    pub id: RunId,
    /// The workspace it belongs to.
    pub workspace: WorkspaceName,
    /// The flow it executes.
    pub flow: FlowName,
    /// The deployment it is pinned to for life.
    pub deployment: DeploymentId,
    /// What started it.
    pub trigger: Trigger,
    /// Its inputs, checked and completed, in canonical bytes.
    pub inputs: Vec<u8>,
    /// Flows whose calls led to it, oldest first; without itself.
    pub chain: Vec<FlowRef>,
    /// When it was accepted.
    pub queued_at: Timestamp,
    /// When it must have ended, however much of the time it waits; it fails then.
    pub deadline: Option<Timestamp>,
    /// How it takes its turn among others.
    pub turn: Turn,
}

/// How a run failed, as stored and shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunError {
    /// The error code.
    pub code: Code,
    /// What went wrong; at most 4 KiB.
    pub message: String,
    /// The file at fault, from the workspace's folder, when one is.
    pub file: Option<String>,
    /// Line, from 1.
    pub line: Option<u32>,
    /// Column, from 1.
    pub column: Option<u32>,
}

impl RunError {
    /// An error that has no place in a file.
    pub fn plain(code: Code, message: impl Into<String>) -> Self {
        let message = crate::text::cut(message.into(), 4096);
        Self { code, message, file: None, line: None, column: None }
    }
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ending {
    /// With a result, in canonical bytes.
    Succeeded(Vec<u8>),
    /// With an error.
    Failed(Reason, RunError),
    /// Because somebody asked for it.
    Cancelled,
    /// Without its flow being run.
    Skipped(Reason),
}

impl Ending {
    /// The state that a run is in after it.
    pub fn state(&self) -> State {
        match self {
            Self::Succeeded(_) => State::Succeeded,
            Self::Failed(..) => State::Failed,
            Self::Cancelled => State::Cancelled,
            Self::Skipped(_) => State::Skipped,
        }
    }

    /// The reason that is recorded with the state.
    pub fn reason(&self) -> Option<Reason> {
        match self {
            Self::Succeeded(_) => None,
            Self::Failed(reason, _) | Self::Skipped(reason) => Some(*reason),
            Self::Cancelled => Some(Reason::CancelRequested),
        }
    }
}

/// What happens to a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Event {
    /// A runner takes it to evaluate it.
    Claim,
    /// Its runner or its cell is gone; it waits again.
    Release,
    /// All that it does is wait.
    Suspend,
    /// What it waited for has happened.
    Wake,
    /// It ended with a result.
    Succeed,
    /// It ended with an error.
    Fail,
    /// Somebody asked for its end.
    Cancel,
    /// Its flow is not to be run.
    Skip,
}

impl Event {
    /// Every event.
    pub const ALL: [Self; 8] = [
        Self::Claim,
        Self::Release,
        Self::Suspend,
        Self::Wake,
        Self::Succeed,
        Self::Fail,
        Self::Cancel,
        Self::Skip,
    ];
}

/// An event that cannot happen in a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a run that is {} cannot take {event:?}", state.as_str())]
pub struct Rejected {
    /// The present state.
    pub state: State,
    /// What was tried.
    pub event: Event,
}

/// The state after an event. Every pair is written out: terminal stays terminal, and a cell can
/// only speak for a run that is running.
#[expect(clippy::match_same_arms, reason = "grouped by state: each state shows all its events")]
pub fn apply(state: State, event: Event) -> Result<State, Rejected> {
    let rejected = Err(Rejected { state, event });
    match (state, event) {
        (State::Queued, Event::Claim) => Ok(State::Running),
        (State::Queued | State::Suspended, Event::Fail) => Ok(State::Failed),
        (State::Queued | State::Running | State::Suspended, Event::Cancel) => Ok(State::Cancelled),
        (State::Queued, Event::Skip) => Ok(State::Skipped),
        (State::Queued, Event::Release | Event::Suspend | Event::Wake | Event::Succeed) => rejected,
        (State::Running, Event::Release) => Ok(State::Queued),
        (State::Running, Event::Suspend) => Ok(State::Suspended),
        (State::Running, Event::Succeed) => Ok(State::Succeeded),
        (State::Running, Event::Fail) => Ok(State::Failed),
        (State::Running, Event::Skip) => Ok(State::Skipped),
        (State::Running, Event::Claim | Event::Wake) => rejected,
        (State::Suspended, Event::Wake) => Ok(State::Queued),
        (
            State::Suspended,
            Event::Claim | Event::Release | Event::Suspend | Event::Succeed | Event::Skip,
        ) => rejected,
        (
            State::Succeeded | State::Failed | State::Cancelled | State::Skipped,
            Event::Claim
            | Event::Release
            | Event::Suspend
            | Event::Wake
            | Event::Succeed
            | Event::Fail
            | Event::Cancel
            | Event::Skip,
        ) => rejected,
    }
}

/// One step of a run, for views.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepRecord {
    /// The step's id; with `#n` when it is not its first occurrence.
    pub id: String,
    /// `succeeded`, `failed` or `skipped`.
    pub state: State,
    /// The attempt that gave the state, from 1.
    pub attempt: u32,
    /// When it began.
    pub started_at: Timestamp,
    /// How long it took, in microseconds.
    pub duration_us: i64,
    /// How it failed, if it did.
    pub error: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terminal_stays_terminal() {
        for state in State::ALL.into_iter().filter(|state| state.is_terminal()) {
            for event in Event::ALL {
                assert_eq!(apply(state, event), Err(Rejected { state, event }));
            }
        }
    }

    #[test]
    fn the_table_of_all_pairs() {
        let allowed: Vec<_> = State::ALL
            .into_iter()
            .flat_map(|state| Event::ALL.map(|event| (state, event)))
            .filter_map(|(state, event)| Some((state, event, apply(state, event).ok()?)))
            .collect();
        assert_eq!(
            allowed,
            [
                (State::Queued, Event::Claim, State::Running),
                (State::Queued, Event::Fail, State::Failed),
                (State::Queued, Event::Cancel, State::Cancelled),
                (State::Queued, Event::Skip, State::Skipped),
                (State::Running, Event::Release, State::Queued),
                (State::Running, Event::Suspend, State::Suspended),
                (State::Running, Event::Succeed, State::Succeeded),
                (State::Running, Event::Fail, State::Failed),
                (State::Running, Event::Cancel, State::Cancelled),
                (State::Running, Event::Skip, State::Skipped),
                (State::Suspended, Event::Wake, State::Queued),
                (State::Suspended, Event::Fail, State::Failed),
                (State::Suspended, Event::Cancel, State::Cancelled),
            ]
        );
    }

    proptest::proptest! {
        #[test]
        fn no_sequence_of_events_leaves_a_terminal_state(
            events in proptest::collection::vec(0..Event::ALL.len(), 0..40)
        ) {
            let mut state = State::Queued;
            let mut ended = false;
            for event in events {
                if let Ok(next) = apply(state, Event::ALL[event]) {
                    proptest::prop_assert!(!ended);
                    state = next;
                    ended = state.is_terminal();
                }
            }
        }
    }
}

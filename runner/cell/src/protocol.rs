//! What the runner and a cell say to each other.
//!
//! A frame is a `u32` little-endian length and so many bytes of postcard. Values travel as their
//! canonical bytes ([`signalbox_core::value::encode`]), so that no nesting is decoded by recursion
//! that nobody bounded. Both directions share one socket, which is the cell's standard input.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use signalbox_core::check::{CheckRequest, Facts};
use signalbox_core::journal::{Chunk, Entry, Failure, Key, Outcome};
use signalbox_core::run::{Reason, RunError};
use signalbox_core::schedule::Dynamic;
use signalbox_core::{Digest, RunId};

use crate::keyed::Algorithm;

/// Largest frame, without its length: DESIGN §6.7.
pub const MAX_FRAME: usize = signalbox_core::bounds::FRAME;

/// From the runner to a cell.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum ToCell {
    /// A script or library, for programs and checks that name it. Kept until [`Self::Forget`].
    Source {
        /// Which tree it belongs to: the deployment's number, or 0 for a check.
        tree: i64,
        /// Path from the workspace's folder.
        path: String,
        /// Its text.
        text: String,
    },
    /// A flow, for the runs that name it. Its sources came before. Kept until [`Self::Forget`].
    Program {
        /// The runner's number for it, unique in this cell.
        program: u32,
        /// Which tree its sources belong to.
        tree: i64,
        /// The flow's file, for errors.
        file: String,
        /// A `signalbox_core::catalog::Plan` as JSON.
        plan: String,
        /// The workspace's environment.
        env: BTreeMap<String, String>,
        /// Names of the secrets that scripts may hold handles of.
        secrets: Vec<String>,
        /// Names and types of the connectors.
        connectors: BTreeMap<String, String>,
        /// Most Rhai operations of one run.
        operations: u64,
    },
    /// Drops a tree's sources and programs.
    Forget {
        /// The tree.
        tree: i64,
    },
    /// Evaluate a run, after those that were sent before.
    Start(Box<Start>),
    /// More of a journal that is to be replayed, before the [`Start`] of its run.
    Journal {
        /// The run, by its number in this cell.
        run: u32,
        /// Entries, in order.
        entries: Vec<Entry>,
    },
    /// The outcome of an effect that the run asked for.
    Outcome {
        /// The run.
        run: u32,
        /// Which effect.
        key: Key,
        /// What happened; never [`Outcome::Pending`].
        outcome: Outcome,
    },
    /// Stop the run. The cell answers with [`FromCell::Unwound`]. Sticky: nothing the script does
    /// can make it an ordinary end.
    Unwind {
        /// The run.
        run: u32,
    },
    /// Give back every run that has not begun. The cell answers with [`FromCell::Returned`].
    Recall,
    /// Check the scripts that came as sources of tree 0 and forget them. Answered with
    /// [`FromCell::Facts`], one frame for each script, then [`FromCell::Checked`].
    Check(CheckRequest),
}

/// A run to evaluate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Start {
    /// The runner's number for it, never used twice in one cell.
    pub run: u32,
    /// The program.
    pub program: u32,
    /// Its inputs, in canonical bytes.
    pub inputs: Vec<u8>,
    /// What the run knows of itself.
    pub about: About,
    /// The key under which this run's markers of secrets are made.
    pub marker_key: [u8; 32],
    /// Seed of the run's random numbers. Used for first executions only: what was drawn is in
    /// the journal.
    pub seed: u64,
    /// Where its ordinals stand is in the journal that came before; this many entries.
    pub journal: u32,
    /// Active time that the run used before, in microseconds.
    pub active_us: i64,
    /// What decides whether the run is wanted at all, before anything of its flow.
    pub dynamic: Option<Dynamic>,
}

/// What `run::*` tells a script.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// The run's id.
    pub id: RunId,
    /// Its flow.
    pub flow: String,
    /// Its workspace.
    pub workspace: String,
    /// The commit it is pinned to.
    pub revision: String,
    /// Attempt of the run as a whole, from 1.
    pub attempt: u32,
    /// What started it: `schedule`, `call`, `api`, ...
    pub trigger: String,
    /// The nominal time of the slot, microseconds, when a schedule started it.
    pub slot: Option<i64>,
    /// Who called: `workspace/flow`, when a call started it.
    pub caller: Option<String>,
}

/// From a cell to the runner.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum FromCell {
    /// The cell is walled in and takes work. Always the first frame.
    Ready {
        /// Isolation level that it reached: 0 to 3.
        isolation: u8,
        /// Whether landlock holds besides.
        landlock: bool,
    },
    /// A run has been evaluated for 5 ms or more, or is about to ask for its first effect. Runs
    /// that are over before that are only heard of by their end.
    Began {
        /// The run.
        run: u32,
    },
    /// The run wants an effect. A run may have several under way, one for each of its branches.
    Effect(Box<Effect>),
    /// Every branch of the run waits for an effect that was asked for: nothing is evaluated until
    /// the outcome of one comes. Not said of an effect that says so itself ([`Effect::waits`]).
    Waiting {
        /// The run.
        run: u32,
        /// As [`Effect::seen`].
        seen: u32,
    },
    /// Cheap entries that have waited for long enough to become durable.
    Flush {
        /// The run.
        run: u32,
        /// What to record.
        chunk: Chunk,
    },
    /// The run ended.
    Ended {
        /// The run.
        run: u32,
        /// What is left to record.
        chunk: Chunk,
        /// How it ended.
        end: End,
    },
    /// The run was stopped as asked. Nothing is recorded: what was buffered is repeated on replay.
    Unwound {
        /// The run.
        run: u32,
    },
    /// Runs that had not begun.
    Returned {
        /// The runs.
        runs: Vec<u32>,
    },
    /// What a check found in one script.
    Facts(Box<Facts>),
    /// The check is complete.
    Checked,
}

/// An effect that a run asks for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Effect {
    /// The run.
    pub run: u32,
    /// Cheap entries that came before and must be durable before the effect.
    pub chunk: Chunk,
    /// Where it stands in its run.
    pub key: Key,
    /// Digest of the request.
    pub fingerprint: Digest,
    /// Whether the whole run waits for the outcome: it has no branch that could go on.
    pub waits: bool,
    /// Outcomes that branches of the run have taken since it was started. One that is on its way
    /// gives a branch something to do: until the cell has seen it, the run does not wait.
    pub seen: u32,
    /// How long it may take, when a step around it may take no longer. Not said of what
    /// [waits](Request::is_wait): that is no active time.
    pub within: Option<Within>,
    /// What is wanted.
    pub request: Request,
}

/// How long an effect may take.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Within {
    /// In microseconds, from when it is asked for.
    pub micros: u64,
    /// What its failure says.
    pub message: String,
}

impl Within {
    /// How an effect fails that took longer.
    pub fn failure(&self) -> Failure {
        let message = signalbox_core::text::cut(self.message.clone(), 1_000);
        Failure::transient(signalbox_core::codes::Code::StepTimedOut, message)
    }
}

/// What an effect wants. Values are canonical bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    /// `broker::request` (waits for the result) and `broker::start`.
    Call {
        /// What the script named.
        target: String,
        /// The inputs.
        inputs: Vec<u8>,
        /// Whether it waits.
        wait: bool,
    },
    /// `flow::run` (waits for the result), `flow::start`, and a step's `flow:`: a run of a flow of
    /// the same workspace, at the same revision.
    Flow {
        /// The flow.
        flow: String,
        /// The inputs.
        inputs: Vec<u8>,
        /// Whether it waits.
        wait: bool,
    },
    /// `flow::wait`: the result of a run that this run started with `flow::start`.
    FlowWait {
        /// The run.
        run: RunId,
    },
    /// `sleep`, and the pause before a step is tried again. The outcome is null.
    Sleep {
        /// How long, in microseconds, from when it is asked for the first time.
        micros: i64,
    },
    /// `sleep_until`. The outcome is null.
    SleepUntil {
        /// The moment, microseconds UTC.
        at: i64,
    },
    /// `http::*`.
    Http(HttpRequest),
    /// A method of a connector. The arguments are as the script gave them:
    /// `get(path, query?, headers?)`, `delete(path, query?, headers?)`,
    /// `post | put | patch(path, body?, headers?)` for `http`; `send(payload)` for the others.
    Connector {
        /// The connector.
        name: String,
        /// The method: `get`, `send`, ...
        method: String,
        /// The arguments, a list.
        arguments: Vec<u8>,
    },
    /// `state::get`.
    StateGet {
        /// The value's name.
        name: String,
    },
    /// `state::list`.
    StateList {
        /// What the names start with.
        prefix: String,
    },
    /// `state::set`.
    StateSet {
        /// The value's name.
        name: String,
        /// What it becomes.
        value: Vec<u8>,
    },
    /// `state::add`.
    StateAdd {
        /// The value's name.
        name: String,
        /// How much.
        by: i64,
    },
    /// `state::swap`.
    StateSwap {
        /// The value's name.
        name: String,
        /// What it must be; `None`: missing.
        expected: Option<Vec<u8>>,
        /// What it becomes.
        value: Vec<u8>,
    },
    /// `state::delete`.
    StateDelete {
        /// The value's name.
        name: String,
    },
    /// `secret(name)`: fails unless it is set. The outcome is null; the handle is made in the cell.
    Secret {
        /// The secret.
        name: String,
    },
    /// `hmac` with a secret's handle in its key. The outcome is the digest, as bytes.
    Hmac {
        /// The key, with markers where values of secrets go.
        key: String,
        /// What is digested.
        message: Vec<u8>,
        /// How.
        algorithm: Algorithm,
    },
    /// `metrics::workspace`.
    WorkspaceMetrics {
        /// The workspace; the run's own when it is not named.
        workspace: Option<String>,
    },
    /// `metrics::flow`.
    FlowMetrics {
        /// The flow, as it was named.
        flow: String,
    },
}

impl Request {
    /// The host function's name, as in the journal.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Call { wait: true, .. } => "broker::request",
            Self::Call { wait: false, .. } => "broker::start",
            Self::Flow { wait: true, .. } => "flow::run",
            Self::Flow { wait: false, .. } => "flow::start",
            Self::FlowWait { .. } => "flow::wait",
            Self::Sleep { .. } => "sleep",
            Self::SleepUntil { .. } => "sleep_until",
            Self::Http(_) => "http",
            Self::Connector { .. } => "connector",
            Self::StateGet { .. } => "state::get",
            Self::StateList { .. } => "state::list",
            Self::StateSet { .. } => "state::set",
            Self::StateAdd { .. } => "state::add",
            Self::StateSwap { .. } => "state::swap",
            Self::StateDelete { .. } => "state::delete",
            Self::Secret { .. } => "secret",
            Self::Hmac { .. } => "hmac",
            Self::WorkspaceMetrics { .. } => "metrics::workspace",
            Self::FlowMetrics { .. } => "metrics::flow",
        }
    }

    /// Whether the run may be suspended while it waits for the outcome: it comes from another run or
    /// from the clock, not from this process.
    pub fn is_wait(&self) -> bool {
        match self {
            Self::Call { wait, .. } | Self::Flow { wait, .. } => *wait,
            Self::FlowWait { .. } | Self::Sleep { .. } | Self::SleepUntil { .. } => true,
            Self::Http(_)
            | Self::Connector { .. }
            | Self::StateGet { .. }
            | Self::StateList { .. }
            | Self::StateSet { .. }
            | Self::StateAdd { .. }
            | Self::StateSwap { .. }
            | Self::StateDelete { .. }
            | Self::Secret { .. }
            | Self::Hmac { .. }
            | Self::WorkspaceMetrics { .. }
            | Self::FlowMetrics { .. } => false,
        }
    }
}

/// A request to the network. The outcome is a map `{ status, headers, body }`, the body as bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpRequest {
    /// `GET`, `POST`, ...
    pub method: String,
    /// The whole URL.
    pub url: String,
    /// Header names in lower case, in order.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// Longest time, in milliseconds; the runner's default when not given.
    pub timeout_ms: Option<u64>,
}

/// How a run ended in its cell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum End {
    /// With a result, in canonical bytes.
    Result(Vec<u8>),
    /// With an error; the reason is `script_error`, `limit_exceeded` or `denied`. Behind it what a
    /// retry of the flow goes by.
    Error(Reason, RunError, Failure),
    /// With `continue_as(inputs)`: a successor with these inputs, in canonical bytes, takes over.
    ContinueAs(Vec<u8>),
    /// Its replay does not match its journal.
    Incompatible(String),
    /// `dynamic` of its schedule said that it is not wanted; nothing of its flow was evaluated.
    NotWanted,
}

/// A frame that cannot be read or written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// Larger than [`MAX_FRAME`].
    #[error("a frame of {0} bytes is over the bound of {MAX_FRAME}")]
    TooLarge(usize),
    /// Not what the other side would have sent.
    #[error("a frame that cannot be read")]
    Malformed,
}

/// Writes behind what is there. A plain `Vec` would be consumed, and lost when encoding fails.
struct Appender<'a>(&'a mut Vec<u8>);

impl Extend<u8> for Appender<'_> {
    fn extend<I: IntoIterator<Item = u8>>(&mut self, bytes: I) {
        self.0.extend(bytes);
    }
}

/// Appends a frame to `out`. On an error `out` is as it was.
pub fn write_frame<T: Serialize>(frame: &T, out: &mut Vec<u8>) -> Result<(), FrameError> {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    if postcard::to_extend(frame, Appender(out)).is_err() {
        out.truncate(start);
        return Err(FrameError::Malformed);
    }
    let length = out.len() - start - 4;
    let Some(head) = u32::try_from(length).ok().filter(|_| length <= MAX_FRAME) else {
        out.truncate(start);
        return Err(FrameError::TooLarge(length));
    };
    out[start..start + 4].copy_from_slice(&head.to_le_bytes());
    Ok(())
}

/// Takes the first whole frame off `bytes`: the frame and how many bytes it took. `None` when
/// there is no whole frame yet.
pub fn read_frame<'a, T: Deserialize<'a>>(
    bytes: &'a [u8],
) -> Result<Option<(T, usize)>, FrameError> {
    let Some((head, rest)) = bytes.split_first_chunk::<4>() else { return Ok(None) };
    let length = u32::from_le_bytes(*head) as usize;
    if length > MAX_FRAME {
        return Err(FrameError::TooLarge(length));
    }
    let Some(body) = rest.get(..length) else { return Ok(None) };
    let (frame, left) = postcard::take_from_bytes(body).map_err(|_| FrameError::Malformed)?;
    if left.is_empty() { Ok(Some((frame, length + 4))) } else { Err(FrameError::Malformed) }
}

/// The request's own failure when nobody can answer it: used by both sides for a value that does
/// not decode.
pub fn malformed_value() -> Failure {
    Failure::permanent(signalbox_core::codes::Code::BadValue, "a value that cannot be read")
}

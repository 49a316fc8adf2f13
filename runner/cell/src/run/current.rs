//! The run that is evaluated.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;
use std::time::{Duration, Instant};

use signalbox_core::clock::Timestamp;
use signalbox_core::codes::Code;
use signalbox_core::journal::{Chunk, Entry, Failure};

use super::branches::{Asked, Branch};
use super::random::Random;
use super::replay::Replay;
use super::timed::Timer;
use super::{Scope, Setting};
use crate::fault::Place;
use crate::operations;
use crate::protocol::Start;

/// Cheap entries become durable at the latest after this: DESIGN §6.1.
const FLUSH_AFTER: Duration = Duration::from_millis(50);
/// Cheap entries become durable when there are so many bytes of them.
const FLUSH_BYTES: usize = 64 << 10;
/// Largest result of a run or of a step: DESIGN §6.7.
pub(crate) const MAX_RESULT: usize = signalbox_core::bounds::VALUE;

/// Why a run must stop. The first reason counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Stop {
    /// The runner asked for it, or is gone.
    Unwind,
    /// The replay asks for something else than was recorded.
    Incompatible(String),
    /// A bound was reached.
    Limit(String),
    /// Something that no script may do.
    Forbidden(String),
    /// `continue_as`, with the inputs of the successor in canonical bytes.
    Continue(Vec<u8>),
}

/// How long another side wants to be left alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum After {
    /// For so long.
    Pause(Duration),
    /// Until then.
    Moment(Timestamp),
}

impl After {
    /// How long that is from a moment on.
    pub(crate) fn length(self, now: Timestamp) -> Duration {
        match self {
            Self::Pause(pause) => pause,
            Self::Moment(moment) => moment.since(now),
        }
    }
}

/// The run that is evaluated.
pub(crate) struct Run {
    pub(crate) start: Start,
    pub(crate) setting: Rc<Setting>,
    pub(super) replay: Replay,
    /// Evaluations of branches, innermost last.
    pub(super) branches: Vec<Branch>,
    pub(super) asked: Asked,
    /// When each step of a branch was begun for the first time, by path.
    pub(super) begun: HashMap<String, (Instant, Timestamp)>,
    /// Steps of branches that ended with an error, by path.
    pub(super) abandoned: HashSet<String>,
    pub(super) scopes: Vec<Scope>,
    pub(super) chunk: Chunk,
    chunk_bytes: usize,
    /// Since when the oldest part of the chunk has waited.
    waiting: Option<Instant>,
    pub(super) entries: usize,
    pub(super) bytes: usize,
    pub(super) log_bytes: usize,
    /// What forbids effects at present, innermost last.
    pub(super) pure: Vec<&'static str>,
    pub(super) stop: Option<Stop>,
    /// Tries whose time is limited, innermost last.
    pub(super) timers: Vec<Timer>,
    /// Which of them is over time.
    pub(super) late: Option<usize>,
    /// When each of them began in this cell, or what the journal said of it, by path.
    pub(super) timed: HashMap<String, i64>,
    pub(crate) began: Instant,
    pub(crate) announced: bool,
    pub(crate) random: Random,
    /// The failure that was thrown last, to know it again when it ends the run.
    pub(super) thrown: Option<Failure>,
    /// How many steps around the present place may be tried again.
    pub(super) tried: u32,
    /// Whether the flow's `retry_if` says that trying again cannot help.
    hopeless: bool,
    /// Where the error happened that a step ended with.
    pub(super) place: Option<(String, Place)>,
}

impl Run {
    pub(crate) fn new(start: Start, setting: Rc<Setting>, journal: Vec<Entry>) -> Self {
        Self {
            replay: Replay::new(journal, start.about.attempt),
            random: Random::new(start.seed),
            start,
            setting,
            branches: Vec::new(),
            asked: Asked::new(),
            begun: HashMap::new(),
            abandoned: HashSet::new(),
            scopes: vec![Scope::root()],
            chunk: Chunk::default(),
            chunk_bytes: 0,
            waiting: None,
            entries: 0,
            bytes: 0,
            log_bytes: 0,
            pure: Vec::new(),
            stop: None,
            timers: Vec::new(),
            late: None,
            timed: HashMap::new(),
            began: Instant::now(),
            announced: false,
            thrown: None,
            tried: 0,
            hopeless: false,
            place: None,
        }
    }

    /// Why the run must stop, if it must.
    pub(crate) fn stop(&self) -> Option<&Stop> {
        self.stop.as_ref()
    }

    /// Stops the run, unless it is being stopped already.
    pub(crate) fn set_stop(&mut self, stop: Stop) {
        self.stop.get_or_insert(stop);
        operations::look_at_once();
    }

    /// Forbids effects until [`Self::allow_effects`].
    pub(crate) fn forbid_effects(&mut self, place: &'static str) {
        self.pure.push(place);
    }

    /// Ends what [`Self::forbid_effects`] began.
    pub(crate) fn allow_effects(&mut self) {
        self.pure.pop();
    }

    /// Remembers what a script is about to be told.
    pub(crate) fn set_thrown(&mut self, failure: Failure) {
        self.thrown = Some(failure);
    }

    /// The failure that a script was told with this text, if it was the last.
    pub(crate) fn thrown(&self, text: &str) -> Option<&Failure> {
        let told = |failure: &&Failure| {
            text.strip_prefix(failure.code.as_str()).and_then(|rest| rest.strip_prefix(": "))
                == Some(failure.message.as_str())
        };
        self.thrown.as_ref().filter(told)
    }

    /// The failure that an error with this text is. What a script throws of itself says nothing
    /// about trying again: whoever set a retry meant it.
    pub(crate) fn failure_of(&self, text: &str) -> Failure {
        let known = self.thrown(text).cloned();
        let failure = known.unwrap_or_else(|| Failure::transient(Code::ScriptError, text));
        Failure { retryable: failure.retryable && !self.hopeless, ..failure }
    }

    /// Begins a step that may be tried again: results of steps in it are kept.
    pub(crate) fn begin_tries(&mut self) {
        self.tried += 1;
    }

    /// Ends what [`Self::begin_tries`] began.
    pub(crate) fn end_tries(&mut self) {
        self.tried -= 1;
    }

    /// Has the run's failure not be retryable.
    pub(crate) fn give_up(&mut self) {
        self.hopeless = true;
    }

    /// Notes what a response says about being asked again, for the steps around it.
    pub(crate) fn note_after(&mut self, after: Option<After>) {
        for scope in &mut self.scopes {
            scope.after = after;
        }
    }

    /// What the last response inside of the present scope said about being asked again.
    pub(crate) fn after(&self) -> Option<After> {
        self.scopes.last().and_then(|scope| scope.after)
    }

    /// The failure of the whole run that an error with this text is, with what the last response said
    /// about being asked again.
    pub(crate) fn final_failure_of(&self, text: &str) -> Failure {
        let failure = self.failure_of(text);
        match self.scopes.first().and_then(|scope| scope.after) {
            Some(after) if failure.after_ms.is_none() => {
                failure.after(after.length(crate::clock::now()))
            }
            _ => failure,
        }
    }

    /// Where the error with this text happened, if a step ended with it.
    pub(crate) fn place_of(&self, text: &str) -> Option<Place> {
        self.place.as_ref().filter(|(known, _)| known == text).map(|(_, place)| place.clone())
    }

    /// What waits to be recorded, when it has waited for long enough.
    pub(crate) fn take_due(&mut self) -> Option<Chunk> {
        let due = self.chunk_bytes >= FLUSH_BYTES
            || self.waiting.is_some_and(|since| crate::clock::elapsed(since) >= FLUSH_AFTER);
        due.then(|| self.take_chunk())
    }

    /// What waits to be recorded.
    pub(crate) fn take_chunk(&mut self) -> Chunk {
        self.waiting = None;
        self.chunk_bytes = 0;
        std::mem::take(&mut self.chunk)
    }

    pub(super) fn wait_for_record(&mut self, bytes: usize) {
        self.chunk_bytes += bytes;
        self.waiting.get_or_insert_with(Instant::now);
    }
}

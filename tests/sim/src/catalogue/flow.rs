//! What there is to know about a flow.

use signalbox_core::Value;
use signalbox_core::run::Reason;
use signalbox_core::schedule::Overlap;

/// A flow.
#[derive(Debug)]
pub(crate) struct Flow {
    pub(crate) workspace: &'static str,
    pub(crate) name: &'static str,
    pub(super) file: &'static str,
    /// Who asks for runs of it, besides others and its schedule.
    pub(crate) asked: Asked,
    /// What a run that ends as it should has added to its counter.
    pub(crate) adds: i64,
    /// Calls through the broker that a run which ends as it should has made.
    pub(crate) calls: usize,
    /// Runs of its own workspace that it has started.
    pub(crate) starts: usize,
    /// The attempt that ends, when nothing else happens.
    pub(crate) attempts: u32,
    /// The least pause between two attempts, in seconds.
    pub(crate) pause: i64,
    /// How it ends.
    pub(crate) ends: fn(&Given<'_>) -> Ends,
    /// When its schedule fires.
    pub(crate) slots: Option<Slots>,
    /// Whether its failures start a handler.
    pub(crate) handled: bool,
    /// Whether its first success after a failure starts a handler.
    pub(crate) recovers: bool,
}

/// Who asks for runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    /// Nobody.
    Never,
    /// Somebody over the API, with a number as `n`.
    Api,
    /// The same, with `k` besides: the key that its runs share.
    Keyed,
    /// Whoever knows this webhook.
    Webhook(&'static str),
}

/// What a run was given.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Given<'a> {
    pub(crate) inputs: &'a Value,
    /// The version of its revision.
    pub(crate) version: i64,
    /// The slot that it is for, in seconds.
    pub(crate) slot: Option<i64>,
}

/// How a run ends when nothing but the simulated faults happens to it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Ends {
    /// With this result.
    Result(Value),
    /// With the id of a run that it started.
    RunId,
    /// With another run that continues it.
    Successor,
    /// Badly, for this reason.
    Fails(Reason),
    /// As skipped, for this reason.
    Skipped(Reason),
}

/// When a schedule fires, and what becomes of slots.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Slots {
    pub(crate) moments: Moments,
    /// Longest delay of a slot, in seconds.
    pub(crate) jitter: i64,
    pub(crate) missed: Missed,
    pub(crate) overlap: Overlap,
}

/// The nominal times of a schedule.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Moments {
    /// Every so many seconds, counted from 1970.
    Every(i64),
    /// One moment, in seconds since 1970.
    Once(i64),
}

/// Which slots fire that nobody was there to fire. Spans in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Missed {
    None,
    Latest { window: i64 },
    All { window: i64, cap: i64 },
}

/// What a row leaves out: a flow that nobody asks for, without effects, that gives its `n`.
pub(super) const FLOW: Flow = Flow {
    workspace: "ops",
    name: "",
    file: "",
    asked: Asked::Never,
    adds: 0,
    calls: 0,
    starts: 0,
    attempts: 1,
    pause: 0,
    ends: |given| number(given.int("n")),
    slots: None,
    handled: false,
    recovers: false,
};

/// What a row of a schedule leaves out.
pub(super) const SLOTS: Slots = Slots {
    moments: Moments::Every(30),
    jitter: 0,
    missed: Missed::Latest { window: 3_600 },
    overlap: Overlap::Skip,
};

impl Flow {
    /// `workspace/name`
    pub(crate) fn full_name(&self) -> String {
        format!("{}/{}", self.workspace, self.name)
    }
}

impl Given<'_> {
    /// An input that is a number; zero when it is not.
    pub(crate) fn int(&self, name: &str) -> i64 {
        self.inputs.get(name).and_then(Value::as_int).unwrap_or(0)
    }

    /// An input that is text.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.inputs.get(name).and_then(Value::as_str).unwrap_or("")
    }
}

pub(super) fn number(n: i64) -> Ends {
    Ends::Result(Value::Int(n))
}

pub(super) fn numbers<const N: usize>(all: [i64; N]) -> Ends {
    Ends::Result(Value::List(all.into_iter().map(Value::Int).collect()))
}

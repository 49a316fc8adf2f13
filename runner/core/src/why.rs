//! Why a run does not run: from facts to words.

use crate::clock::Timestamp;
use crate::ids::{FlowRef, RunId};
use crate::run::{Reason, State};

/// Most runs that one sentence names.
const NAMED: usize = 3;

/// Where a queued run stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// In its workspace's queue; so many runs are claimed before it.
    Ready {
        /// `None` when nobody counted.
        ahead: Option<usize>,
    },
    /// Behind other runs with its key.
    KeyFull {
        /// The key; empty when all runs of the flow share one.
        key: String,
        /// How many may have it.
        limit: u32,
        /// The runs that have it.
        holders: Vec<RunId>,
        /// How many wait for it, too, and go first.
        ahead: usize,
    },
    /// Waits whether another run with its key comes.
    Debounced {
        /// When it no longer does.
        until: Timestamp,
    },
    /// Behind an earlier run of its schedule.
    Behind {
        /// That run.
        earlier: RunId,
    },
    /// In no queue: it has just been taken, or has just ended.
    Taken,
}

/// What the cells of a workspace do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cells {
    /// Cells that it has.
    pub cells: usize,
    /// Those of them that have a run.
    pub busy: usize,
    /// The workspace's `concurrency`.
    pub limit: u32,
    /// Whether the last one could not be started.
    pub failed: bool,
}

/// What a suspended run waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Callee {
    /// The run.
    pub run: RunId,
    /// Its flow.
    pub flow: FlowRef,
    /// Its state.
    pub state: State,
    /// When it was called.
    pub since: Timestamp,
}

/// What is known of a run that does not run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Facts {
    /// It is queued.
    Queued {
        /// Where.
        standing: Standing,
        /// The workspace's cells, when somebody asked.
        cells: Option<Cells>,
    },
    /// It is suspended.
    Suspended {
        /// Why.
        reason: Option<Reason>,
        /// Runs that it waits for.
        callees: Vec<Callee>,
        /// When the wait ends by itself.
        until: Option<Timestamp>,
    },
    /// It was skipped, or cancelled for another run.
    Passed {
        /// Skipped or cancelled.
        state: State,
        /// Why.
        reason: Option<Reason>,
        /// The run that had its key, or took its place.
        by: Option<RunId>,
    },
}

/// Why a run does not run; a closed list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// It is next.
    Next,
    /// Other runs of the workspace go first.
    Behind {
        /// How many, when somebody counted.
        ahead: Option<usize>,
        /// All cells that the workspace may have are busy: its `concurrency`.
        full: Option<u32>,
    },
    /// A cell is started for it.
    CellStarting,
    /// No cell can be started.
    NoCell,
    /// Its key is full.
    KeyFull {
        /// The key; empty when all runs of the flow share one.
        key: String,
        /// How many may have it.
        limit: u32,
        /// The runs that have it.
        holders: Vec<RunId>,
        /// How many wait for it and go first.
        ahead: usize,
    },
    /// Its debounce is not over.
    Debounced {
        /// When it is.
        until: Timestamp,
    },
    /// An earlier run of its schedule has not ended.
    WaitsForEarlier {
        /// That run.
        earlier: RunId,
    },
    /// It waits for runs that it called.
    WaitsForCall {
        /// Which.
        callees: Vec<Callee>,
        /// When it waits no longer.
        until: Option<Timestamp>,
    },
    /// Its replay does not match its journal.
    Incompatible,
    /// It is suspended for another reason.
    Suspended {
        /// Which.
        reason: Option<Reason>,
        /// Until when.
        until: Option<Timestamp>,
    },
    /// The workspace's queue was full.
    QueueFull,
    /// Its key was full, and its flow says `when_full: skip`.
    KeyTaken {
        /// A run that had the key.
        by: Option<RunId>,
    },
    /// A newer run took its place.
    Superseded {
        /// The newer run.
        by: Option<RunId>,
        /// Whether it had begun.
        begun: bool,
    },
    /// It was skipped for another reason.
    Skipped {
        /// Which.
        reason: Option<Reason>,
    },
}

/// Why a run does not run; `None` when the facts say that nothing keeps it.
pub fn explain(facts: Facts) -> Option<Why> {
    match facts {
        Facts::Queued { standing, cells } => queued(standing, cells),
        Facts::Suspended { reason, callees, until } => Some(match reason {
            Some(Reason::WaitingCall) => Why::WaitsForCall { callees, until },
            Some(Reason::Incompatible) => Why::Incompatible,
            reason => Why::Suspended { reason, until },
        }),
        Facts::Passed { state, reason, by } => match (reason, state) {
            (Some(Reason::Superseded), state) => {
                Some(Why::Superseded { by, begun: state == State::Cancelled })
            }
            (Some(Reason::ConcurrencyLimit), _) => Some(Why::KeyTaken { by }),
            (Some(Reason::LimitExceeded), State::Skipped) => Some(Why::QueueFull),
            (reason, State::Skipped) => Some(Why::Skipped { reason }),
            (_, _) => None,
        },
    }
}

fn queued(standing: Standing, cells: Option<Cells>) -> Option<Why> {
    let ahead = match standing {
        Standing::Taken => return None,
        Standing::KeyFull { key, limit, holders, ahead } => {
            return Some(Why::KeyFull { key, limit, holders, ahead });
        }
        Standing::Debounced { until } => return Some(Why::Debounced { until }),
        Standing::Behind { earlier } => return Some(Why::WaitsForEarlier { earlier }),
        Standing::Ready { ahead } => ahead,
    };
    Some(match cells {
        Some(cells) if cells.failed => Why::NoCell,
        Some(cells) if cells.busy >= cells.limit as usize => {
            Why::Behind { ahead, full: Some(cells.limit) }
        }
        Some(cells) if cells.cells == 0 => Why::CellStarting,
        Some(_) | None if ahead == Some(0) => Why::Next,
        Some(_) | None => Why::Behind { ahead, full: None },
    })
}

impl Why {
    /// A name for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Next => "next",
            Self::Behind { ahead: None, full: None } => "queued",
            Self::Behind { full: None, .. } => "behind",
            Self::Behind { full: Some(_), .. } => "concurrency",
            Self::CellStarting => "cell_starting",
            Self::NoCell => "no_cell",
            Self::KeyFull { .. } => "key_full",
            Self::Debounced { .. } => "debounce",
            Self::WaitsForEarlier { .. } => "waiting_overlap",
            Self::WaitsForCall { .. } => "waiting_call",
            Self::Incompatible => "incompatible",
            Self::Suspended { reason, .. } => reason.map_or("suspended", Reason::as_str),
            Self::QueueFull => "queue_full",
            Self::KeyTaken { .. } => "key_taken",
            Self::Superseded { .. } => "superseded",
            Self::Skipped { reason } => reason.map_or("skipped", Reason::as_str),
        }
    }

    /// The runs that it names.
    pub fn runs(&self) -> Vec<&RunId> {
        match self {
            Self::KeyFull { holders, .. } => holders.iter().collect(),
            Self::WaitsForEarlier { earlier } => vec![earlier],
            Self::WaitsForCall { callees, .. } => callees.iter().map(|c| &c.run).collect(),
            Self::KeyTaken { by } | Self::Superseded { by, .. } => by.iter().collect(),
            Self::Next
            | Self::Behind { .. }
            | Self::CellStarting
            | Self::NoCell
            | Self::Debounced { .. }
            | Self::Incompatible
            | Self::Suspended { .. }
            | Self::QueueFull
            | Self::Skipped { .. } => Vec::new(),
        }
    }

    /// When it is over by itself.
    pub fn until(&self) -> Option<Timestamp> {
        match self {
            Self::Debounced { until } => Some(*until),
            Self::WaitsForCall { until, .. } | Self::Suspended { until, .. } => *until,
            Self::Next
            | Self::Behind { .. }
            | Self::CellStarting
            | Self::NoCell
            | Self::KeyFull { .. }
            | Self::WaitsForEarlier { .. }
            | Self::Incompatible
            | Self::QueueFull
            | Self::KeyTaken { .. }
            | Self::Superseded { .. }
            | Self::Skipped { .. } => None,
        }
    }

    /// A sentence for people, without its capital and its full stop.
    pub fn words(&self) -> String {
        match self {
            Self::Next => "it is the next run of its workspace".to_owned(),
            Self::Behind { ahead, full } => behind(*ahead, *full),
            Self::CellStarting => "a cell is being started for it".to_owned(),
            Self::NoCell => {
                "no cell can be started; the runner's log says why, `signalbox doctor` looks for \
                 causes, and it is tried again every second"
                    .to_owned()
            }
            Self::KeyFull { key, limit, holders, ahead } => key_full(key, *limit, holders, *ahead),
            Self::Debounced { until } => {
                format!("until {until} a newer run with its key replaces it (`debounce`)")
            }
            Self::WaitsForEarlier { earlier } => {
                format!("run {earlier}, of an earlier slot of its schedule, has not ended")
            }
            Self::WaitsForCall { callees, until } => waits_for(callees, *until),
            Self::Incompatible => {
                "its replay does not match its journal: cancel it, or run it again".to_owned()
            }
            Self::Suspended { reason, until } => suspended(*reason, *until),
            Self::QueueFull => "the queue of its workspace was full".to_owned(),
            Self::KeyTaken { by } => {
                let by = by.as_ref().map_or_else(String::new, |by| format!(" by run {by}"));
                format!("its key was taken{by}, and its flow says `when_full: skip`")
            }
            Self::Superseded { by, begun } => {
                let by =
                    by.as_ref().map_or_else(|| "a newer run".to_owned(), |by| format!("run {by}"));
                let verb = if *begun { "was cancelled for" } else { "was replaced by" };
                format!("it {verb} {by}")
            }
            Self::Skipped { reason: Some(Reason::Overlap) } => {
                "an earlier run of its schedule had not ended (`overlap: skip`)".to_owned()
            }
            Self::Skipped { reason: Some(Reason::NotWanted) } => {
                "`dynamic` of its schedule said that it is not wanted".to_owned()
            }
            Self::Skipped { reason } => {
                format!("it was skipped: {}", reason.map_or("for no known reason", Reason::as_str))
            }
        }
    }
}

fn count(number: usize, one: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{number} {one}s") }
}

fn suspended(reason: Option<Reason>, until: Option<Timestamp>) -> String {
    match (reason, until) {
        (Some(Reason::WaitingUntil), Some(until)) => format!("it sleeps until {until}"),
        (Some(Reason::WaitingRetry), Some(until)) => {
            format!("its last attempt failed; the next one begins at {until}")
        }
        (reason, until) => {
            let reason = reason.map_or("something", Reason::as_str).replace('_', " ");
            until.map_or_else(|| reason.clone(), |until| format!("{reason}: {until}"))
        }
    }
}

fn behind(ahead: Option<usize>, full: Option<u32>) -> String {
    let first = match ahead {
        Some(0) => "it is the next run of its workspace".to_owned(),
        Some(1) => "1 run of its workspace goes first".to_owned(),
        Some(ahead) => format!("{ahead} runs of its workspace go first"),
        None => "it waits in the queue of its workspace".to_owned(),
    };
    match full {
        Some(limit) => {
            format!("{first}, and as many are evaluated as its `concurrency` allows: {limit}")
        }
        None => first,
    }
}

fn named(runs: &[RunId]) -> String {
    let some: Vec<_> = runs.iter().take(NAMED).map(ToString::to_string).collect();
    match runs.len().saturating_sub(NAMED) {
        0 => some.join(", "),
        more => format!("{} and {more} more", some.join(", ")),
    }
}

fn key_full(key: &str, limit: u32, holders: &[RunId], ahead: usize) -> String {
    let key = if key.is_empty() { "its flow".to_owned() } else { format!("the key `{key}`") };
    let verb = if holders.len() == 1 { "has" } else { "have" };
    let mut words = format!(
        "{key} takes {} at once, and {} {verb} it",
        count(limit as usize, "run"),
        if holders.is_empty() { "runs before it".to_owned() } else { named(holders) },
    );
    if ahead > 0 {
        let verb = if ahead == 1 { "goes" } else { "go" };
        words = format!("{words}; {} {verb} first", count(ahead, "waiting run"));
    }
    words
}

fn waits_for(callees: &[Callee], until: Option<Timestamp>) -> String {
    let one = |callee: &Callee| {
        let Callee { run, flow, state, since } = callee;
        format!("run {run} of `{flow}`, {} (called {since})", state.as_str())
    };
    let some: Vec<_> = callees.iter().take(NAMED).map(one).collect();
    let mut words = if some.is_empty() {
        "it waits for a run that it called".to_owned()
    } else {
        format!("it waits for {}", some.join("; "))
    };
    if let Some(until) = until {
        words = format!("{words}; until {until} at the latest");
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(number: u64) -> RunId {
        RunId::from_parts(number, [0; 10])
    }

    fn words(facts: Facts) -> String {
        let why = explain(facts).unwrap();
        format!("{}: {}", why.code(), why.words())
    }

    fn ready(ahead: usize, cells: Cells) -> String {
        let standing = Standing::Ready { ahead: Some(ahead) };
        words(Facts::Queued { standing, cells: Some(cells) })
    }

    #[test]
    fn a_queued_run_is_told_what_it_waits_for() {
        let some = Cells { cells: 2, busy: 1, limit: 4, failed: false };
        let queued = |standing| words(Facts::Queued { standing, cells: None });
        let key_full = |holders: &[u64], ahead| Standing::KeyFull {
            key: "web".into(),
            limit: 1,
            holders: holders.iter().copied().map(run).collect(),
            ahead,
        };
        let said = [
            ready(0, some),
            ready(1, some),
            ready(3, Cells { busy: 4, ..some }),
            ready(0, Cells { cells: 0, busy: 0, ..some }),
            ready(0, Cells { failed: true, ..some }),
            queued(Standing::Ready { ahead: None }),
            queued(key_full(&[1], 0)),
            queued(key_full(&[1, 2, 3, 4, 5], 2)),
            queued(Standing::Debounced { until: Timestamp(0) }),
            queued(Standing::Behind { earlier: run(4) }),
        ];
        insta::assert_snapshot!(said.join("\n"));
        let taken = Facts::Queued { standing: Standing::Taken, cells: None };
        assert_eq!(explain(taken), None);
    }

    #[test]
    fn a_suspended_run_is_told_what_it_waits_for() {
        let callee = Callee {
            run: run(7),
            flow: "two/f".parse().unwrap(),
            state: State::Running,
            since: Timestamp(0),
        };
        let suspended = |reason, callees, until| {
            words(Facts::Suspended { reason: Some(reason), callees, until })
        };
        let said = [
            suspended(Reason::WaitingCall, vec![callee], Some(Timestamp(9_000_000))),
            suspended(Reason::WaitingCall, Vec::new(), None),
            suspended(Reason::Incompatible, Vec::new(), None),
            suspended(Reason::WaitingUntil, Vec::new(), Some(Timestamp(9_000_000))),
            suspended(Reason::WaitingRetry, Vec::new(), Some(Timestamp(9_000_000))),
        ];
        insta::assert_snapshot!(said.join("\n"));
    }

    #[test]
    fn a_skipped_run_is_told_for_whom() {
        let passed = |state, reason, by: Option<u64>| {
            words(Facts::Passed { state, reason: Some(reason), by: by.map(run) })
        };
        let said = [
            passed(State::Skipped, Reason::LimitExceeded, None),
            passed(State::Skipped, Reason::ConcurrencyLimit, Some(1)),
            passed(State::Skipped, Reason::Superseded, Some(2)),
            passed(State::Cancelled, Reason::Superseded, None),
            passed(State::Skipped, Reason::Overlap, None),
            passed(State::Skipped, Reason::NotWanted, None),
            passed(State::Skipped, Reason::Denied, None),
        ];
        insta::assert_snapshot!(said.join("\n"));
        let asked = Facts::Passed {
            state: State::Cancelled,
            reason: Some(Reason::CancelRequested),
            by: None,
        };
        assert_eq!(explain(asked), None);
    }
}

//! What a schedule says.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Calendar, Error, Timetable};
use crate::clock::Timestamp;
use crate::handler::Handlers;
use crate::value::Value;

/// A schedule of a flow.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(from = "super::stored::Stored", into = "super::stored::Stored")]
pub struct Schedule {
    /// Its name in its flow, if it was given one.
    pub name: Option<String>,
    /// Its slots.
    pub fires: Fires,
    /// IANA name of the zone its times are read in.
    pub timezone: String,
    /// What its runs are given; the flow's defaults complete it.
    pub inputs: BTreeMap<String, Value>,
    /// Each slot fires up to so much later, by a share that is always the same for the slot.
    pub jitter: Duration,
    /// What becomes of a slot while the run of an earlier one has not ended.
    pub overlap: Overlap,
    /// What becomes of slots that nobody was there to fire.
    pub missed: Missed,
    /// The workspace's calendar that takes slots out, by name.
    pub calendar: Option<String>,
    /// What is asked for each slot before its run begins.
    pub dynamic: Option<Dynamic>,
    /// What is started by how its runs end, before what the flow says. Part of no identity.
    pub handlers: Handlers,
}

/// Where a schedule's slots come from.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Fires {
    /// A cron expression: five fields, or six with seconds first.
    Cron(String),
    /// One moment.
    At(Timestamp),
}

/// What becomes of a slot while the run of an earlier one has not ended.
///
/// The default is `skip`: runs that take longer than the time between two slots would pile up
/// without bound in any other way, and a slot that is left out is on record.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Overlap {
    /// It is recorded as skipped.
    #[default]
    Skip,
    /// Its run waits until the earlier ones have ended.
    Queue,
    /// The earlier run is cancelled first.
    CancelRunning,
}

impl Overlap {
    /// Every policy.
    pub const ALL: [Self; 3] = [Self::Skip, Self::Queue, Self::CancelRunning];

    /// Its name in a flow file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Skip => "skip",
            Self::Queue => "queue",
            Self::CancelRunning => "cancel_running",
        }
    }
}

/// What becomes of slots that nobody was there to fire: the runner was down, or the clock jumped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Missed {
    /// Which of them fire.
    pub policy: MissedPolicy,
    /// Slots that are older than this never do.
    pub window: Duration,
    /// Of `all`, at most so many fire: the latest ones.
    pub cap: u32,
}

impl Default for Missed {
    /// The latest within an hour. The cap is a hundred: more at once is a flood that nobody meant.
    fn default() -> Self {
        Self { policy: MissedPolicy::Latest, window: Duration::from_hours(1), cap: 100 }
    }
}

/// Which missed slots fire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MissedPolicy {
    /// None of them.
    None,
    /// The latest.
    Latest,
    /// Each of them, oldest first.
    All,
}

impl MissedPolicy {
    /// Every policy.
    pub const ALL: [Self; 3] = [Self::None, Self::Latest, Self::All];

    /// Its name in a flow file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Latest => "latest",
            Self::All => "all",
        }
    }
}

/// A Rhai expression that says whether a slot's run is wanted. It sees `slot` and `inputs`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dynamic {
    /// The expression.
    pub code: String,
    /// Line of the flow's file on which it begins.
    pub line: u32,
}

impl Schedule {
    /// A schedule with nothing but an expression and a zone.
    pub fn cron(expression: impl Into<String>, timezone: impl Into<String>) -> Self {
        Self::new(Fires::Cron(expression.into()), timezone)
    }

    /// A schedule with nothing but its slots and a zone.
    pub fn new(fires: Fires, timezone: impl Into<String>) -> Self {
        Self {
            name: None,
            fires,
            timezone: timezone.into(),
            inputs: BTreeMap::new(),
            jitter: Duration::ZERO,
            overlap: Overlap::default(),
            missed: Missed::default(),
            calendar: None,
            dynamic: None,
            handlers: Handlers::default(),
        }
    }

    /// The expression, or the moment as a person writes it.
    pub fn expression(&self) -> String {
        match &self.fires {
            Fires::Cron(expression) => expression.clone(),
            Fires::At(moment) => moment.to_string(),
        }
    }

    /// Its slots, without those that its calendar takes out; the caller has looked that up.
    ///
    /// # Errors
    /// An expression or a zone that cannot be read.
    pub fn timetable(&self, calendar: Option<&Calendar>) -> Result<Timetable, Error> {
        Timetable::new(&self.fires, &self.timezone, calendar.cloned())
    }
}

//! The way of a run through the engine, for who measures where its time goes.
//!
//! Nothing is measured here: each station is an event at level `trace`, and whoever listens has a
//! clock. `cargo xtask bench waterfall` does, and so does a log at that level.

use signalbox_core::RunId;

/// The target of the events. Their fields are `run`, its id, and `station`, the name of one of
/// [`Station::ALL`].
pub const TARGET: &str = "signalbox::way";

/// Where a run has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Station {
    /// It is durable that the run is to be run.
    Accepted,
    /// The dispatcher has it.
    Claimed,
    /// It is on its way into a cell's socket.
    Sent,
    /// Its cell has said how it ended.
    Evaluated,
    /// It is durable how it ended.
    Recorded,
}

impl Station {
    /// Every station, in the order in which a run without effects comes to them.
    pub const ALL: [Self; 5] =
        [Self::Accepted, Self::Claimed, Self::Sent, Self::Evaluated, Self::Recorded];

    /// Its name in events.
    pub fn name(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Claimed => "claimed",
            Self::Sent => "sent",
            Self::Evaluated => "evaluated",
            Self::Recorded => "recorded",
        }
    }
}

/// A run has come to a station.
pub(crate) fn passed(run: &RunId, station: Station) {
    tracing::trace!(target: TARGET, %run, station = station.name());
}

//! Why a run does not run.

use serde::Serialize;
use signalbox_core::why::Why;
use utoipa::ToSchema;

use super::time;

/// Why a run does not run.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Why)]
pub(crate) struct WhyJson {
    /// From a list that may grow: `next`, `behind`, `queued`, `concurrency`, `cell_starting`, `no_cell`,
    /// `key_full`, `debounce`, `waiting_overlap`,
    /// `waiting_call`, `incompatible`, `queue_full`, `key_taken`,
    /// `superseded`, or the run's reason.
    code: &'static str,
    /// The same in words, for people.
    text: String,
    /// The runs that it waits for, or that took its place.
    runs: Vec<String>,
    /// When it is over by itself.
    until: Option<String>,
}

impl From<&Why> for WhyJson {
    fn from(why: &Why) -> Self {
        Self {
            code: why.code(),
            text: why.words(),
            runs: why.runs().into_iter().map(ToString::to_string).collect(),
            until: time(why.until()),
        }
    }
}

//! What the simulation knows without asking the runner: what was asked for, and what was done to it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use signalbox_core::RunId;
use signalbox_core::clock::Timestamp;
use signalbox_core::run::State;

use crate::catalogue::Asked;
use crate::timeline::{Pause, Timeline};
use crate::watch::Watch;

/// What is known, shared by everything that acts.
#[derive(Debug, Clone, Default)]
pub(crate) struct Model(Arc<Mutex<Known>>);

/// What is known.
#[derive(Debug, Default)]
pub(crate) struct Known {
    /// Requests by the number that each has as its input.
    pub(crate) requests: BTreeMap<i64, Requested>,
    /// Runs that were accepted: whoever asked has the answer.
    pub(crate) accepted: BTreeSet<RunId>,
    /// Runs that begin at a step of another one.
    pub(crate) from_step: BTreeSet<RunId>,
    /// Runs whose end somebody asked for.
    pub(crate) cancelled: BTreeSet<RunId>,
    /// How often the cell of a run was lost.
    pub(crate) lost_cells: BTreeMap<RunId, u32>,
    /// How runs had ended when they were last looked at.
    pub(crate) ended: BTreeMap<RunId, Ended>,
    /// Reads of the store that were refused.
    pub(crate) refused_reads: u32,
    /// How often the clock was set.
    pub(crate) jumps: u32,
    /// Promises that were seen to be broken on the way.
    pub(crate) broken: Vec<String>,
    /// When everything was live for the first time.
    pub(crate) first_live: Option<Timestamp>,
    /// When everything had ended; only slots fire later.
    pub(crate) settled: Option<Timestamp>,
    /// When the runner was well.
    pub(crate) timeline: Timeline,
    /// Pauses of schedules that somebody asked for.
    pub(crate) pauses: Vec<Pause>,
    /// What the store was seen to do.
    pub(crate) watch: Watch,
}

/// A request to start a run.
#[derive(Debug, Clone)]
pub(crate) struct Requested {
    /// `workspace/flow`.
    pub(crate) flow: String,
    /// Who asks for it.
    pub(crate) asked: Asked,
    /// Whether it has an idempotency key: then it is asked for again until it is answered.
    pub(crate) keyed: bool,
    /// The run, once it was answered.
    pub(crate) run: Option<RunId>,
}

/// The end of a run.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Ended {
    pub(crate) state: State,
    pub(crate) result: Option<Vec<u8>>,
    pub(crate) at: Option<Timestamp>,
}

impl Model {
    /// What is known.
    pub(crate) fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that a cell was lost that had a run.
    pub(crate) fn lost_cell(&self, run: &RunId) {
        *self.known().lost_cells.entry(run.clone()).or_default() += 1;
    }
}

impl Known {
    /// A new request's number.
    pub(crate) fn request(&mut self, flow: String, asked: Asked, keyed: bool) -> i64 {
        let number = i64::try_from(self.requests.len()).unwrap_or(0) + 1;
        self.requests.insert(number, Requested { flow, asked, keyed, run: None });
        number
    }

    /// Notes the answer to a request: whoever asks again with the same key gets the same.
    pub(crate) fn answered(&mut self, number: i64, run: &RunId) {
        self.accepted.insert(run.clone());
        let Some(request) = self.requests.get_mut(&number) else { return };
        if let Some(before) = request.run.replace(run.clone())
            && request.keyed
            && before != *run
        {
            self.broken.push(format!("request {number} is run {before}, and run {run}"));
        }
    }
}

//! What a flow file becomes before its scripts are checked.

use std::collections::BTreeSet;

use signalbox_core::catalog::{Action, Flow, Plan, Step};
use signalbox_core::check::CheckScript;

use crate::alarms::ParsedAbsence;
use crate::handlers::OfFlow;

/// A flow whose scripts are not checked yet.
#[derive(Debug)]
pub(crate) struct Parsed {
    pub(crate) flow: Flow,
    /// The code in the file itself, to be checked.
    pub(crate) code: Vec<CheckScript>,
    /// The script files of its steps, from the workspace's folder.
    pub(crate) scripts: BTreeSet<String>,
    /// The handlers that its file names.
    pub(crate) handlers: OfFlow,
    /// Its `absence`, as its file says it.
    pub(crate) absence: Option<ParsedAbsence>,
}

/// A bare `.rhai` file as a flow.
pub(crate) fn bare(file: &str) -> Parsed {
    let step = Step::new("main", Action::Script { path: file.to_owned(), inputs: None }, 1);
    Parsed {
        flow: Flow { plan: Plan { steps: vec![step], ..Plan::default() }, ..Flow::new(file) },
        code: Vec::new(),
        scripts: BTreeSet::from([file.to_owned()]),
        handlers: OfFlow::default(),
        absence: None,
    }
}

/// What stands for a flow whose file cannot be read: its name is taken, nothing else is known.
pub(crate) fn unreadable(file: &str) -> Parsed {
    Parsed {
        flow: Flow::new(file),
        code: Vec::new(),
        scripts: BTreeSet::new(),
        handlers: OfFlow::default(),
        absence: None,
    }
}

//! The flows that are simulated, and what each of them promises.
//!
//! A new feature is simulated by a row in one of the tables here: the flow's file, how runs of it
//! come about, what one run adds to the counter that has the run's id as its name, how many runs it
//! starts, and how it ends.

mod branches;
mod calls;
mod flow;
mod handlers;
mod plain;
mod repository;
mod schedules;
mod turns;
mod waits;

pub(crate) use calls::HASTY;
pub(crate) use flow::{Asked, Ends, Flow, Given, Missed, Moments, Slots};
pub(crate) use plain::DEADLY;
pub(crate) use repository::files;

/// Every flow.
pub(crate) fn flows() -> impl Iterator<Item = &'static Flow> {
    let tables = [
        plain::FLOWS,
        calls::FLOWS,
        waits::FLOWS,
        branches::FLOWS,
        turns::FLOWS,
        schedules::FLOWS,
        handlers::FLOWS,
    ];
    tables.into_iter().flatten()
}

/// A flow by its name.
pub(crate) fn find(workspace: &str, name: &str) -> Option<&'static Flow> {
    flows().find(|flow| flow.workspace == workspace && flow.name == name)
}

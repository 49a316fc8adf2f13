//! The store in one SQLite database, for one process.
//!
//! One thread writes, with group commit (`writer`); readers have connections of their own
//! (`readers`); queues and claims are in memory (`live`) and follow from the database. A claim
//! takes effect without a commit: if the process dies, its run is queued again at the next start.

mod accept;
mod aftermath;
mod alarms;
mod append;
mod backup;
mod belongings;
mod call_views;
mod checkpoint;
mod claim;
mod columns;
mod deploy;
mod deployment_views;
mod effects;
mod end;
mod error;
mod format;
mod journal;
mod line;
mod line_views;
mod live;
mod load;
mod migrate;
mod names;
mod open;
mod operations;
mod prune;
mod queue;
mod readers;
mod run_views;
mod schedules;
mod settle;
mod shared;
mod store;
#[cfg(test)]
mod tests;
mod turns;
mod tx;
mod waits;
mod writer;

pub use backup::backup;
pub use store::{Options, SqliteStore};

//! One command, one file: what it takes, what it does, what it prints.
//!
//! A command's `Args` carry its help. `run(&Args)` prints data to stdout and answers how the
//! process ends, or fails with an error that `report` tells. A new command is a file here, a line
//! below, and three in `cli/`.

pub(crate) mod backup;
pub(crate) mod calls;
pub(crate) mod cancel;
pub(crate) mod completion;
mod dead;
pub(crate) mod deployments;
pub(crate) mod dismiss;
pub(crate) mod doctor;
pub(crate) mod explain;
pub(crate) mod flow;
pub(crate) mod health;
pub(crate) mod logs;
pub(crate) mod queue;
pub(crate) mod rerun;
pub(crate) mod rollback;
pub(crate) mod run;
pub(crate) mod runs;
pub(crate) mod schedule;
pub(crate) mod secret;
pub(crate) mod serve;
pub(crate) mod show;
pub(crate) mod status;
pub(crate) mod sync;
pub(crate) mod token;
pub(crate) mod unpin;
pub(crate) mod validate;
pub(crate) mod webhook;
pub(crate) mod workspace;

//! Runs.

pub(crate) mod cancel;
pub(crate) mod dismiss;
pub(crate) mod get;
pub(crate) mod journal;
pub(crate) mod list;
pub(crate) mod logs;
pub(crate) mod rerun;

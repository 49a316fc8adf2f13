//! Schedules of live flows.

pub(crate) mod list;
pub(crate) mod next;
pub(crate) mod pause;

//! Looks after the health of workspaces and after flows that are expected to succeed.
//!
//! Only when an alarm is to be raised or is over is there a commit, with the runs that tell of it in
//! it: whatever dies, each is told once. One timer, for the next moment at which something may
//! change by itself: a flow is absent, runs leave a window, or a workspace was healthy for long
//! enough.

mod service;
mod tell;
mod view;

pub(crate) use service::run;
pub use view::Health;

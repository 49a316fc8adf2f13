//! Looks after the health of workspaces and after flows that are expected to succeed.
//!
//! How runs end is noted in memory as they do, at the same cost however many there are; nothing is
//! written for it. Only when an alarm is to be raised or is over is there a commit, with the runs
//! that tell of it in it: whatever dies, each is told once. What is in memory follows from the
//! store, and is read again at a start, when what is live changed, and when in doubt.
//!
//! One timer, for the next moment at which something may change by itself: a flow is absent, runs
//! leave a window, or a workspace was healthy for long enough.

mod gauge;
mod service;
mod state;
mod tell;
mod view;

pub(crate) use service::run;
pub(crate) use state::Lookout;
pub use view::Health;

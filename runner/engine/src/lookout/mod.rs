//! What is known in memory of the health of workspaces and of flows that are expected to succeed.
//!
//! How runs end is noted as they do, at the same cost however many there are; nothing is written for
//! it. All of it follows from the store, and is read again at a start, when what is live changed,
//! and when in doubt. What is done about it, [`crate::watch`] does.

mod gauge;
mod state;

pub(crate) use state::{Due, Lookout};

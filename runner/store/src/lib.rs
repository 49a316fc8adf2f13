//! What the runner remembers: one contract, its conformance suite, and the implementations.
//!
//! The contract speaks in batches and in whole values. Nothing in it assumes one process: a claim
//! carries an epoch that every later write of the run is checked against, times of waiting come
//! from the caller, and whoever waits for work is woken by [`Store::ready`], never by polling.

#[cfg(test)]
mod conformance;
pub mod contract;
pub mod sqlite;

pub use contract::{Error, Reply, Store};

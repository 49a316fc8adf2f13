//! The conformance suite: one body, run over every implementation.
//!
//! Each case is a function over a [`Place`] that tries to break a sentence of the contract. An
//! implementation runs them all with [`conformance_suite!`], giving a function that makes a fresh
//! place.

pub(crate) mod accepting;
pub(crate) mod alarming;
pub(crate) mod belongings;
pub(crate) mod deploying;
pub(crate) mod handling;
mod kit;
pub(crate) mod model;
pub(crate) mod pruning;
pub(crate) mod reopening;
pub(crate) mod scheduling;
mod suite;
pub(crate) mod timing;
pub(crate) mod turning;
pub(crate) mod viewing;
pub(crate) mod waiting;
pub(crate) mod writing;

pub(crate) use kit::{Kit, append, cancel, end, run_in};
pub(crate) use suite::{Place, conformance_suite};

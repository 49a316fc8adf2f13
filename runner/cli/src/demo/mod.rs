//! `signalbox demo`: the homeops example, served for real, with the outside world on this machine.
//!
//! The example becomes a git repository in a temporary folder; the runner serves it as
//! `signalbox serve` would; [`chain`] follows the platform → domain → platform chain in the store
//! and [`narrate`] says what happens.

mod chain;
mod docker;
mod narrate;
mod repository;
mod session;
mod stand_ins;
#[cfg(test)]
mod tests;
mod trading;

pub(crate) use session::{Args, run};

/// Where the demo listens unless told otherwise.
const DEFAULT_LISTEN: ([u8; 4], u16) = ([127, 0, 0, 1], 8742);

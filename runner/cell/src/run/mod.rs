//! The run that is evaluated: what it replays, what it has done, and whether it must stop.
//!
//! Stopping is a sticky flag, of the run and of each [branch](branches). Every host function and every look from `on_progress` checks it, and
//! how the run ends is read from it: what the script returned or caught does not count then.

mod branches;
mod current;
mod effects;
mod logs;
mod random;
mod replay;
mod scope;
mod setting;
mod steps;
mod timed;

pub(crate) use branches::{Aftermath, Turn, Waiting};
pub(crate) use current::{After, MAX_RESULT, Run, Stop};
pub(crate) use scope::{Scope, Spot};
pub(crate) use setting::Setting;
pub(crate) use steps::Begin;
pub(crate) use timed::Late;

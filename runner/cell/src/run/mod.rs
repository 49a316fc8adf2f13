//! The run that is evaluated: what it replays, what it has done, and whether it must stop.
//!
//! Stopping is a sticky flag. Every host function and every look from `on_progress` checks it, and
//! how the run ends is read from it: what the script returned or caught does not count then.

mod current;
mod effects;
mod logs;
mod random;
mod replay;
mod setting;
mod steps;

pub(crate) use current::{MAX_RESULT, Run, Stop};
pub(crate) use setting::Setting;
pub(crate) use steps::{Begin, Scope};

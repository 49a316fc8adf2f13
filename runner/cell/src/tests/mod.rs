//! The cell through its protocol: a runner that answers effects from memory, at the other end of a
//! socket pair.

mod check;
mod cost;
mod dynamic;
mod effects;
mod examples;
mod formats;
mod limits;
mod replay;
mod runner;
mod steps;
mod stopping;

use runner::{Runner, run, steps as plan_of};

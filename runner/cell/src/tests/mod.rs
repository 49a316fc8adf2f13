//! The cell through its protocol: a runner that answers effects from memory, at the other end of a
//! socket pair.

mod branches;
mod check;
mod cost;
mod dynamic;
mod effects;
mod examples;
mod formats;
mod limits;
mod plans;
mod replay;
mod retries;
mod runner;
mod steps;
mod stopping;
mod timed;

use runner::{Runner, run, steps as plan_of};

//! Cells, seen from the runner: their processes, and the driver that speaks to each.
//!
//! A cell belongs to one workspace and evaluates one run at a time; later runs wait in its socket.
//! Its driver treats whatever it sends as hostile: a frame that does not fit what the runner asked
//! for ends the cell, and every effect is checked against the run and its grants.

mod active;
mod assign;
mod driver;
mod history;
mod leave;
mod life;
mod other_runs;
mod pace;
mod performing;
mod plausible;
mod programs;
mod requests;

pub(crate) use driver::spawn;

//! `signalbox run`

mod command;
mod inputs;

pub(crate) use command::{Args, run};
pub(super) use inputs::{gather, parse_pair};

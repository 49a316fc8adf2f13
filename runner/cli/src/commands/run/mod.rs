//! `signalbox run`

mod command;
mod inputs;

pub(crate) use command::{Args, run};

//! `signalbox doctor`

mod cell;
mod check;
mod command;
mod machine;
mod server;

pub(crate) use command::{Args, run};

//! `signalbox serve`

mod command;
mod logging;
mod signals;

pub(crate) use command::{Args, run};

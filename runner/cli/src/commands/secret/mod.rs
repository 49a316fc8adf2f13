//! `signalbox secret`

mod command;
mod value;

pub(crate) use command::{Args, run};

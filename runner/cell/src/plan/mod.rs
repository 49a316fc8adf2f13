//! Plans: what a flow's file became, compiled once per cell and evaluated for each run.

mod interpret;
mod program;
mod template;
mod wanted;

pub(crate) use interpret::{Broken, evaluate};
pub(crate) use program::Program;
pub(crate) use wanted::is_wanted;

//! Plans: what a flow's file became, compiled once per cell and evaluated for each run.

mod flow;
mod graph;
mod interpret;
mod list;
mod program;
mod repeat;
mod template;
mod tries;
mod wanted;

pub(crate) use flow::Broken;
pub(crate) use interpret::evaluate;
pub(crate) use program::Program;
pub(crate) use wanted::is_wanted;

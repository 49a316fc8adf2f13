//! Flow files: YAML with steps, or a bare script that is its only step.

mod actions;
mod inputs;
mod needs;
mod parsed;
mod reader;
mod retry;
mod schedules;
mod steps;
mod templates;
mod turns;

pub(crate) use parsed::{Parsed, bare, unreadable};
pub(crate) use reader::{Context, parse};
pub(crate) use templates::literal_inputs;

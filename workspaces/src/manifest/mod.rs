//! The workspace file: what a workspace says of itself, and what it lets others do.

mod calls;
mod connectors;
mod environment;
mod file;
mod folders;

pub(crate) use file::{Manifest, merge, read};

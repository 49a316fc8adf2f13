//! Secrets of a workspace: names come out, values only go in.

pub(crate) mod delete;
pub(crate) mod list;
pub(crate) mod put;

//! Brings workspaces to the revisions that the source wants.
//!
//! One look at the source at a time: which commit is the head, which workspaces does its root
//! manifest name, whose identity is not that of what is live. Those are read and checked whole;
//! the contract between workspaces is checked over the set that would be live; what passes goes
//! live in one commit of the store and one swap of the catalog. What does not leaves what was live
//! as it was.

mod candidate;
mod look;
mod rollback;
mod service;
mod tree;
pub mod validate;

pub(crate) use rollback::{rollback, unpin};
pub(crate) use service::{load, request, run, swap};

//! The workspace file: what a workspace says of itself, and what it lets others do.

mod calls;
mod connectors;
mod environment;
mod file;
mod folders;
mod webhook_auth;
mod webhooks;

pub(crate) use connectors::check_grants;
pub(crate) use file::{Manifest, merge, read};

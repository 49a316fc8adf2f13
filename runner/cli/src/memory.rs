//! What this process has in its memory stays there.

use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};

use crate::exit::Failure;

/// Keeps the memory of this process, which holds values of secrets for moments, out of core dumps
/// and from other processes of its user. What it starts inherits the limit.
pub(crate) fn keep() -> Result<(), Failure> {
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    setrlimit(Resource::Core, none)
        .and_then(|()| set_dumpable_behavior(DumpableBehavior::NotDumpable))
        .map_err(|error| {
            Failure::environment(format!("failed to keep memory out of core dumps: {error}"))
        })
}

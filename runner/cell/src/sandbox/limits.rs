//! Resource limits: the wall that every level has.

use rustix::process::{Resource, Rlimit};

use super::{Error, failed};

/// The stack of the thread that evaluates. Unoptimised code needs several times as much for the
/// same depth of calls (reference §1.4).
pub(crate) const STACK: usize = if cfg!(debug_assertions) { 64 << 20 } else { 16 << 20 };
/// What the process needs besides a run's memory: the binary's data, buffers, the engine.
const OVERHEAD: u64 = 32 << 20;
/// Address space that is reserved but never counts as data: the binary's text, arenas, guards.
const RESERVED: u64 = 512 << 20;
/// Open files at most; two are needed.
const FILES: u64 = 16;

/// Limits the process to what a run with so many bytes of memory needs.
pub(super) fn set(memory: u64) -> Result<(), Error> {
    let data = memory.saturating_add(STACK as u64 + OVERHEAD);
    limit(Resource::Core, 0)?;
    limit(Resource::Nofile, FILES)?;
    limit(Resource::Fsize, 0)?;
    limit(Resource::Data, data)?;
    limit(Resource::As, data.saturating_add(RESERVED))
}

/// Forbids new threads and processes.
pub(super) fn forbid_threads() -> Result<(), Error> {
    limit(Resource::Nproc, 0)
}

fn limit(resource: Resource, most: u64) -> Result<(), Error> {
    let most = Some(most);
    rustix::process::setrlimit(resource, Rlimit { current: most, maximum: most })
        .map_err(failed("limit a resource"))
}

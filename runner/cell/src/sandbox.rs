//! What a process gives up before it looks at the first byte of a script (DESIGN §5).
//!
//! Level 1 of the isolation levels: a process of its own with resource limits. Namespaces, landlock
//! and seccomp belong at the end of [`enter`], in this order, and raise the level that it returns.

use std::io;
use std::os::fd::BorrowedFd;

use rustix::process::{DumpableBehavior, Resource, Rlimit, Signal};

/// The stack of the thread that evaluates. Unoptimised code needs several times as much for the
/// same depth of calls (reference §1.4).
pub(crate) const STACK: usize = if cfg!(debug_assertions) { 64 << 20 } else { 16 << 20 };
/// What the process needs besides a run's memory: the binary's data, buffers, the engine.
const OVERHEAD: u64 = 32 << 20;
/// Address space that is reserved but never counts as data: the binary's text, arenas, guards.
const RESERVED: u64 = 512 << 20;
/// Open files at most; two are needed.
const FILES: u64 = 16;

/// What the runner asks of a cell's process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Memory of a run, in bytes.
    pub memory: u64,
}

/// How far the process is isolated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// A process of its own, with resource limits.
    L1,
}

impl Level {
    /// The level's number, 0 to 3.
    pub fn number(self) -> u8 {
        match self {
            Self::L1 => 1,
        }
    }
}

/// A restriction that the process could not put on itself. It must not evaluate anything then.
#[derive(Debug, thiserror::Error)]
#[error("failed to {what}: {source}")]
pub struct Error {
    what: &'static str,
    source: io::Error,
}

fn failed<E: Into<io::Error>>(what: &'static str) -> impl FnOnce(E) -> Error {
    move |source| Error { what, source: source.into() }
}

/// Restricts this process for good. Call it before there is a second thread.
///
/// # Errors
/// The first restriction that the kernel refuses.
pub fn enter(options: &Options) -> Result<Level, Error> {
    clear_environment();
    close_descriptors().map_err(failed("close what was inherited"))?;
    die_with_parent()?;
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)
        .map_err(failed("forbid core dumps and tracing"))?;
    rustix::thread::set_no_new_privs(true).map_err(failed("forbid new privileges"))?;
    let data = options.memory.saturating_add(STACK as u64 + OVERHEAD);
    limit(Resource::Core, 0)?;
    limit(Resource::Nofile, FILES)?;
    limit(Resource::Fsize, 0)?;
    limit(Resource::Data, data)?;
    limit(Resource::As, data.saturating_add(RESERVED))?;
    Ok(Level::L1)
}

/// Forbids new threads and processes. For the evaluating thread, once it runs.
///
/// # Errors
/// The kernel refuses.
pub(crate) fn forbid_threads() -> Result<(), Error> {
    limit(Resource::Nproc, 0)
}

fn limit(resource: Resource, most: u64) -> Result<(), Error> {
    let most = Some(most);
    rustix::process::setrlimit(resource, Rlimit { current: most, maximum: most })
        .map_err(failed("limit a resource"))
}

/// The kernel kills this process when the thread that started it ends. A parent that was gone
/// before is noticed by the change of parent, or by the end of the socket.
fn die_with_parent() -> Result<(), Error> {
    let before = rustix::process::getppid();
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))
        .map_err(failed("die with the runner"))?;
    if rustix::process::getppid() == before {
        Ok(())
    } else {
        Err(failed("find the runner")(io::Error::from(io::ErrorKind::NotFound)))
    }
}

#[expect(unsafe_code, reason = "changing the environment is sound while there is one thread")]
#[expect(clippy::disallowed_methods, reason = "the names are read to be removed")]
fn clear_environment() {
    for (name, _) in std::env::vars_os() {
        // SAFETY: `enter` is called before any other thread is started.
        unsafe { std::env::remove_var(name) };
    }
}

/// Closes everything but the socket (0) and the diagnostics' pipe (2).
#[expect(unsafe_code, reason = "inherited descriptors have no owner in this process")]
fn close_descriptors() -> io::Result<()> {
    let listed: Vec<i32> = std::fs::read_dir("/proc/self/fd")?
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|fd| !matches!(fd, 0 | 2))
        .collect();
    for fd in listed {
        // SAFETY: nothing in this process owns a descriptor besides 0 and 2 yet. The one that
        // listed the others is closed by now, which is asked for before it is closed.
        unsafe {
            if rustix::io::fcntl_getfd(BorrowedFd::borrow_raw(fd)).is_ok() {
                rustix::io::close(fd);
            }
        }
    }
    Ok(())
}

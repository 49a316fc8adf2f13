//! What a process gives up before it looks at the first byte of a script (DESIGN §5).
//!
//! The order matters, and is all in [`enter`]: what was inherited, namespaces with an empty root,
//! an id without rights, limits, landlock; and last, in [`close`], when every thread is there that
//! will ever be, the filter of system calls. Each wall is put up by doing it, not by asking the
//! kernel for its version.

mod calls;
mod enter;
mod identity;
mod inherited;
mod landlocked;
mod limits;
mod namespaces;

use std::io;

pub use enter::{Options, Reached};
pub(crate) use enter::{close, enter};
pub(crate) use limits::STACK;

/// A restriction that the process could not put on itself. It must not evaluate anything then.
#[derive(Debug, thiserror::Error)]
#[error("failed to {what}: {source}")]
pub(crate) struct Error {
    what: &'static str,
    source: io::Error,
}

fn failed<E: Into<io::Error>>(what: &'static str) -> impl FnOnce(E) -> Error {
    move |source| Error { what, source: source.into() }
}

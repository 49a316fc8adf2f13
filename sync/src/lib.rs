//! git repository to revision: the source of every definition.
//!
//! A [`Source`] answers what the engine asks about a commit: which one is the head, what a folder's
//! tree id is, what lies below it. Objects are read from the repository straight into memory;
//! nothing is ever checked out, so there is no directory that a hostile tree could write into, and
//! no link that could be followed. What may be read at all is decided by one policy (`name` for
//! names, `walk` for kinds and bounds), which a [`WorkingFolder`] shares, so that `validate` sees
//! a folder as the server will see its commit.
//!
//! This crate never looks into a file. It knows names, kinds and sizes; `workspaces` knows meaning.
//!
//! Only repositories on this machine are read: a path or a `file://` URL.

mod disk;
mod error;
mod fault;
pub mod hints;
mod kind;
mod library;
mod location;
mod loose;
mod name;
mod objects;
mod source;
mod walk;

pub use disk::WorkingFolder;
pub use error::Error;
pub use hints::{Hint, HintKind, Hints};
pub use location::Location;
pub use source::{Commit, Source};
pub use walk::{FileAt, MAX_DEPTH, Subtree};

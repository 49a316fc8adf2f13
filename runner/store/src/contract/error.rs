//! How operations of a store fail.

use std::path::PathBuf;

/// A failed operation of the store.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// What was named is not there.
    #[error("find {0}")]
    NotFound(String),
    /// The disk is full. Nothing that was accepted is lost; the same call may work later.
    #[error("write: no space is left on the disk")]
    Full,
    /// The data directory was written by a newer version.
    #[error("open the store: it has version {found}, this is version {known}")]
    Newer {
        /// Version of the data.
        found: u32,
        /// Newest version that is known here.
        known: u32,
    },
    /// Another process has the data directory open.
    #[error("open the store: another process uses {0}")]
    InUse(PathBuf),
    /// The data directory cannot be used: not a directory, not writable, no locks.
    #[error("use the data directory {path}: {reason}")]
    Unusable {
        /// The directory.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The data is damaged.
    #[error("read the store: {0}")]
    Corrupt(String),
    /// The database failed.
    #[error("use the database")]
    Database(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The store was closed.
    #[error("use the store: it is closed")]
    Closed,
}

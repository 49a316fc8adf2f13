//! What SQLite's failures are to the store's callers.

use rusqlite::ErrorCode;

use crate::contract::Error;

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::Full,
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                Self::Corrupt(error.to_string())
            }
            _ => Self::Database(Box::new(error)),
        }
    }
}

impl From<postcard::Error> for Error {
    fn from(error: postcard::Error) -> Self {
        Self::Corrupt(format!("a record cannot be read: {error}"))
    }
}

impl From<serde_json::Error> for Error {
    fn from(error: serde_json::Error) -> Self {
        Self::Corrupt(format!("a document cannot be read: {error}"))
    }
}

/// A failure that several callers get.
#[derive(Debug, Clone)]
pub(super) enum Cause {
    /// See [`Error::Full`].
    Full,
    /// See [`Error::Corrupt`].
    Corrupt(String),
    /// See [`Error::Database`].
    Database(String),
}

impl Cause {
    pub(super) fn of(error: &rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::Full,
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                Self::Corrupt(error.to_string())
            }
            _ => Self::Database(error.to_string()),
        }
    }
}

impl From<&Error> for Cause {
    fn from(error: &Error) -> Self {
        match error {
            Error::Full => Self::Full,
            Error::Corrupt(message) => Self::Corrupt(message.clone()),
            other => Self::Database(format!("another write of the same commit failed to {other}")),
        }
    }
}

impl From<Cause> for Error {
    fn from(cause: Cause) -> Self {
        match cause {
            Cause::Full => Self::Full,
            Cause::Corrupt(message) => Self::Corrupt(message),
            Cause::Database(message) => Self::Database(message.into()),
        }
    }
}

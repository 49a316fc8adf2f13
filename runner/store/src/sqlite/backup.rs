//! A consistent copy while everything goes on.

use std::fs::{self, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};

use super::open;
use crate::contract::Error;

/// Copies the database of a data directory to a new file. A runner may have the directory open, in
/// whichever process: it goes on.
///
/// # Errors
/// [`Error::Unusable`] when there is no database, or something at `to` already; nothing is left
/// there on others.
pub fn backup(dir: &Path, to: &Path) -> Result<(), Error> {
    let database = dir.join(open::DATABASE);
    if !database.is_file() {
        let reason = "there is no database in it".to_owned();
        return Err(Error::Unusable { path: dir.to_owned(), reason });
    }
    of_database(&database, to)
}

/// Copies the database to a new file. Copied in one step: the copy is of one moment, and the
/// writer goes on in its log meanwhile.
///
/// # Errors
/// [`Error::Unusable`] when there is something at `to` already; nothing is left there on others.
pub(super) fn of_database(database: &Path, to: &Path) -> Result<(), Error> {
    let unusable = |reason: String| Error::Unusable { path: to.to_owned(), reason };
    OpenOptions::new().create_new(true).write(true).mode(0o600).open(to).map_err(|error| {
        unusable(match error.kind() {
            ErrorKind::AlreadyExists => "there is something already".to_owned(),
            _ => error.to_string(),
        })
    })?;
    let copied = copy(database, to).and_then(|()| {
        let file = OpenOptions::new().write(true).open(to);
        file.and_then(|file| file.sync_all()).map_err(|error| unusable(error.to_string()))
    });
    if copied.is_err()
        && let Err(error) = fs::remove_file(to)
    {
        tracing::warn!(%error, "cannot remove the unfinished copy");
    }
    copied
}

fn copy(database: &Path, to: &Path) -> Result<(), Error> {
    let source = open::reader(database)?;
    let mut target = Connection::open(to)?;
    let done = Backup::new(&source, &mut target)?.step(-1)?;
    if done != StepResult::Done {
        return Err(Error::Database("the copy was interrupted".into()));
    }
    // One file that holds everything, without a log beside it.
    target.pragma_update_and_check(None, "journal_mode", "DELETE", |_| Ok(()))?;
    target.close().map_err(|(_, error)| error.into())
}

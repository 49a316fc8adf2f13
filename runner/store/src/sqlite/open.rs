//! The data directory: making it, holding it, and opening the database in it.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use crate::contract::Error;

/// The database's name in the data directory.
pub(super) const DATABASE: &str = "signalbox.db";
/// First version of SQLite without the bug that could corrupt a WAL database on checkpoint.
const OLDEST_SQLITE: i32 = 3_051_003;
/// Pages of the database that the writer keeps in memory at most, in KiB. A thousand workspaces at
/// work have the ends of three trees each in it. SQLite never gives it back, so it is part of what a
/// runner weighs more for the rest of its life once it has worked.
const WRITER_CACHE: i64 = 16_384;
/// The same of a reader.
const READER_CACHE: i64 = 2_048;
/// How long a lock that is held is asked for again: a cell takes milliseconds to become itself.
const LOCK_PATIENCE: Duration = Duration::from_secs(1);
/// Statements that each connection keeps compiled; more than there are.
const STATEMENTS: usize = 128;

/// The data directory, held by this process as long as this lives.
#[derive(Debug)]
pub(super) struct Held {
    _lock: File,
    database: PathBuf,
}

impl Held {
    /// Makes the directory if it is missing and takes its lock.
    pub(super) fn take(dir: &Path) -> Result<Self, Error> {
        let unusable = |reason: String| Error::Unusable { path: dir.to_owned(), reason };
        if !dir.exists() {
            DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(dir)
                .map_err(|error| unusable(format!("it cannot be created: {error}")))?;
        }
        if !dir.is_dir() {
            return Err(unusable("it is not a directory".into()));
        }
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(dir.join("lock"))
            .map_err(|error| unusable(format!("it is not writable: {error}")))?;
        match try_for_a_while(&lock) {
            Ok(()) => Ok(Self { _lock: lock, database: dir.join(DATABASE) }),
            Err(TryLockError::WouldBlock) => Err(Error::InUse(dir.to_owned())),
            Err(TryLockError::Error(error)) => Err(unusable(lock_failure(&error))),
        }
    }

    /// The database's path.
    pub(super) fn database(&self) -> &Path {
        &self.database
    }
}

/// A runner that was killed while it started a cell leaves the lock with that cell until the cell
/// has become itself: a moment, not a refusal.
fn try_for_a_while(lock: &File) -> Result<(), TryLockError> {
    let began = Instant::now();
    loop {
        match lock.try_lock() {
            Err(TryLockError::WouldBlock) if began.elapsed() < LOCK_PATIENCE => pause(),
            other => return other,
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "nothing tells when a lock is free but asking")]
fn pause() {
    std::thread::sleep(Duration::from_millis(10));
}

fn lock_failure(error: &io::Error) -> String {
    format!("its file system gives no locks, and two runners could destroy the data: {error}")
}

/// Opens the connection that writes, creating the database if it is missing.
pub(super) fn writer(path: &Path) -> Result<Connection, Error> {
    if rusqlite::version_number() < OLDEST_SQLITE {
        return Err(Error::Unusable {
            path: path.to_owned(),
            reason: format!("SQLite {} can corrupt it; 3.51.3 is needed", rusqlite::version()),
        });
    }
    protect(path)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = open(path, flags)?;
    // Has an effect only before the first table is made, and would touch a file that is refused.
    let pages: i64 = connection.query_row("PRAGMA page_count", [], |row| row.get(0))?;
    if pages == 0 {
        connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    }
    let mode: String =
        connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
    if mode != "wal" {
        return Err(Error::Unusable {
            path: path.to_owned(),
            reason: "its file system has no shared memory for SQLite's log".into(),
        });
    }
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "journal_size_limit", 64 << 20)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "cache_size", -WRITER_CACHE)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    Ok(connection)
}

/// Opens the connection that moves the log into the database, which is there.
pub(super) fn mover(path: &Path) -> Result<Connection, Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = open(path, flags)?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    Ok(connection)
}

/// Opens a connection that can only read.
pub(super) fn reader(path: &Path) -> Result<Connection, Error> {
    let connection =
        open(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.pragma_update(None, "cache_size", -READER_CACHE)?;
    Ok(connection)
}

fn open(path: &Path, flags: OpenFlags) -> Result<Connection, Error> {
    let connection = Connection::open_with_flags(path, flags)
        .map_err(|error| Error::Unusable { path: path.to_owned(), reason: error.to_string() })?;
    connection.busy_timeout(Duration::from_secs(5))?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    // Otherwise SQLite plans a statement anew each time a value is bound that a partial index might
    // depend on. Nothing here is planned by values: the tables have no statistics.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    // A page that fails to be read from a mapping is a signal, not an error.
    connection.pragma_update(None, "mmap_size", 0)?;
    Ok(connection)
}

/// Makes sure that the database is there for nobody but its owner, and can be written.
fn protect(path: &Path) -> Result<(), Error> {
    OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(path)
        .map(drop)
        .map_err(|error| Error::Unusable { path: path.to_owned(), reason: error.to_string() })
}

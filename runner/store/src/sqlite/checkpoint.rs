//! Moves what is in the log into the database, beside the writer.
//!
//! SQLite would do it within a commit: whoever commits then waits until megabytes are written and
//! synced that are nobody's hurry. A thread with a connection of its own does most of it. What is
//! left, because commits went on meanwhile, the writer moves itself: only when all is moved does the
//! log begin at its start again.

use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::thread::JoinHandle;

use rusqlite::hooks::Wal;
use rusqlite::wal::CheckpointMode;
use rusqlite::{Connection, MAIN_DB};

use super::open;
use crate::contract::Error;

/// Pages that are moved at a time: 16 MiB. In smaller parts, pages that change often are moved more
/// often: with 4 MiB a busy runner did a fifth less.
const PART: u32 = 4_096;
/// So few pages the writer moves itself: 4 MiB, in a few milliseconds. More come while a part is moved,
/// on a busy runner; a log that never began again would make every read of it slower.
const REST: u32 = 1_024;
/// Pages in the log with which the writer moves all of them, however many are left: 64 MiB. It waits for
/// a part that is being moved.
const TOO_LONG: u32 = 16_384;

/// How many pages of the log are moved. Who moves some holds it meanwhile.
type Moved = Arc<Mutex<u32>>;

/// The thread, as long as this lives.
#[derive(Debug)]
pub(super) struct Checkpoints {
    /// `None` only while it ends.
    wake: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Checkpoints {
    /// Starts the thread, and has the writer's commits wake it.
    pub(super) fn start(database: &Path, writer: &mut Connection) -> Result<Self, Error> {
        let connection = open::mover(database)?;
        // As many as wait are one: each moves all there is.
        let (wake, woken) = sync_channel(1);
        let moved = Moved::default();
        let log = Log { wake: wake.clone(), moved: Arc::clone(&moved) };
        writer.wal_hook(Some(move |wal: &mut Wal, pages| {
            log.grew(wal, u32::try_from(pages).unwrap_or(0));
            Ok(())
        }))?;
        let thread = std::thread::Builder::new()
            .name("store-mover".into())
            .spawn(move || run(&connection, &woken, &moved))
            .map_err(|error| Error::Database(Box::new(error)))?;
        Ok(Self { wake: Some(wake), thread: Some(thread) })
    }

    /// Ends the thread, when what it moves is moved. The writer's commits wake nobody from here on.
    pub(super) fn end(mut self, writer: &mut Connection) -> rusqlite::Result<()> {
        writer.wal_hook(None::<fn(&mut Wal, i32) -> rusqlite::Result<()>>)?;
        self.wake = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that moves the log into the database panicked");
        }
        Ok(())
    }
}

fn run(connection: &Connection, woken: &Receiver<()>, moved: &Moved) {
    let mut failing = false;
    while woken.recv().is_ok() {
        let mut moved = moved.lock().unwrap_or_else(PoisonError::into_inner);
        match connection.wal_checkpoint_v2(Some(MAIN_DB), CheckpointMode::PASSIVE) {
            Ok((_, pages)) => {
                failing = false;
                *moved = u32::try_from(pages).unwrap_or(0);
            }
            // The next commits wake it again.
            Err(error) if !failing => {
                failing = true;
                tracing::warn!(%error, "cannot move the log into the database");
            }
            Err(_) => {}
        }
    }
}

/// What the writer knows of its log.
struct Log {
    wake: SyncSender<()>,
    moved: Moved,
}

impl Log {
    /// There are so many pages in it after a commit. What cannot be moved now is moved later: the
    /// commit has happened, whatever comes of this.
    fn grew(&self, wal: &mut Wal, pages: u32) {
        let Some(mut moved) = self.moved(pages >= TOO_LONG) else { return };
        if *moved > pages {
            // It has begun at its start again.
            *moved = 0;
        }
        let left = pages - *moved;
        if pages >= TOO_LONG || (pages >= PART && left <= REST) {
            let counted = wal.checkpoint_v2(CheckpointMode::PASSIVE).ok();
            let counted = counted.and_then(|(_, moved)| u32::try_from(moved).ok());
            *moved = counted.unwrap_or(*moved);
        } else if left >= PART {
            // One that is in line already moves these, too.
            self.wake.try_send(()).ok();
        }
    }

    /// How many pages are moved; `None` while some are being moved, unless that is waited for.
    fn moved(&self, wait: bool) -> Option<MutexGuard<'_, u32>> {
        if wait {
            return Some(self.moved.lock().unwrap_or_else(PoisonError::into_inner));
        }
        match self.moved.try_lock() {
            Ok(moved) => Some(moved),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    const MIB: u64 = 1 << 20;
    /// What the log may hold: [`TOO_LONG`] pages, and the commit that made them so many.
    const MOST: u64 = 66 * MIB;

    struct Database {
        folder: tempfile::TempDir,
        writer: Connection,
        checkpoints: Option<Checkpoints>,
    }

    impl Database {
        fn new() -> Self {
            let folder = tempfile::TempDir::new().unwrap();
            let path = folder.path().join("x.db");
            let mut writer = open::writer(&path).unwrap();
            writer.execute_batch("CREATE TABLE blobs (content BLOB)").unwrap();
            let checkpoints = Checkpoints::start(&path, &mut writer).unwrap();
            Self { folder, writer, checkpoints: Some(checkpoints) }
        }

        fn path(&self) -> PathBuf {
            self.folder.path().join("x.db")
        }

        fn write(&self, mebibytes: u64) {
            for _ in 0..mebibytes {
                let sql = "INSERT INTO blobs VALUES (zeroblob(?))";
                self.writer.execute(sql, [i64::try_from(MIB).unwrap()]).unwrap();
            }
        }

        fn log(&self) -> u64 {
            std::fs::metadata(self.folder.path().join("x.db-wal")).unwrap().len()
        }
    }

    #[test]
    fn the_log_stays_short_however_much_is_written() {
        let mut database = Database::new();
        database.write(200);
        assert!(database.log() < MOST, "{} MiB", database.log() / MIB);
        database.checkpoints.take().unwrap().end(&mut database.writer).unwrap();
    }

    #[test]
    fn a_log_that_a_reader_holds_begins_again_when_the_reader_is_gone() {
        let database = Database::new();
        let reader = open::reader(&database.path()).unwrap();
        let view = reader.unchecked_transaction().unwrap();
        let count = |sql: &str| view.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
        assert_eq!(count("SELECT count(*) FROM blobs"), 0);
        database.write(100);
        assert!(database.log() > 100 * MIB, "nothing that the reader sees is overwritten");
        assert_eq!(count("SELECT count(*) FROM blobs"), 0);
        view.finish().unwrap();
        database.write(100);
        assert!(database.log() < MOST, "{} MiB", database.log() / MIB);
    }

    #[test]
    fn what_is_not_moved_yet_is_there_after_the_end() {
        let mut database = Database::new();
        database.write(3);
        database.checkpoints.take().unwrap().end(&mut database.writer).unwrap();
        let Database { folder, writer, .. } = database;
        drop(writer);
        let again = open::writer(&folder.path().join("x.db")).unwrap();
        let count = |row: &rusqlite::Row<'_>| row.get::<_, i64>(0);
        assert_eq!(again.query_row("SELECT count(*) FROM blobs", [], count).unwrap(), 3);
    }
}

//! Connections that only read, so that no reader waits for the writer nor the writer for one.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;
use tokio::sync::Semaphore;

use super::open;
use crate::contract::Error;

/// Reads that go on at once; more wait their turn.
const MOST: usize = 4;

/// The connections, opened when they are first needed.
#[derive(Debug)]
pub(super) struct Readers {
    database: PathBuf,
    idle: Mutex<Vec<Connection>>,
    pub(super) turns: Semaphore,
    closed: AtomicBool,
}

impl Readers {
    pub(super) fn new(database: PathBuf) -> Self {
        Self {
            database,
            idle: Mutex::default(),
            turns: Semaphore::new(MOST),
            closed: AtomicBool::new(false),
        }
    }

    /// Refuses reads from here on and closes the connections.
    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Whether reads are refused.
    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }

    /// Runs a query on a thread of its own, over one consistent view of the database.
    pub(super) async fn read<T: Send + 'static>(
        self: &Arc<Self>,
        query: impl FnOnce(&Connection) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let turn = self.turns.acquire().await.map_err(|_| Error::Closed)?;
        let readers = Arc::clone(self);
        let done = tokio::task::spawn_blocking(move || readers.query(query)).await;
        drop(turn);
        done.map_err(|error| Error::Database(Box::new(error)))?
    }

    fn query<T>(&self, query: impl FnOnce(&Connection) -> Result<T, Error>) -> Result<T, Error> {
        let connection = self.take()?;
        let view = connection.unchecked_transaction()?;
        let result = query(&view);
        view.finish()?;
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        // Whoever asked may have gone before the query was done: then there are more than turns.
        if !self.is_closed() && idle.len() < MOST {
            idle.push(connection);
        }
        result
    }

    fn take(&self) -> Result<Connection, Error> {
        if self.is_closed() {
            return Err(Error::Closed);
        }
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        idle.map_or_else(|| open::reader(&self.database), Ok)
    }
}

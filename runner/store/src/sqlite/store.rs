//! An open store: from the data directory to the writer's thread, and back.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use signalbox_core::clock::Clock;
use tokio::sync::{Notify, mpsc, oneshot, watch};

use super::checkpoint::Checkpoints;
use super::names::Names;
use super::open::{self, Held};
use super::readers::Readers;
use super::shared::Shared;
use super::tx::Tx;
use super::writer::{self, Message, Op, Writer};
use super::{load, migrate, run_views, schedules};
use crate::contract::Error;

/// What a store needs to be opened.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where the present comes from, for records that no caller gives a time for.
    pub clock: Arc<dyn Clock>,
}

/// The store in a data directory that this process alone uses.
#[derive(Debug)]
pub struct SqliteStore {
    pub(super) shared: Arc<Shared>,
    /// `None` only while it is dropped.
    jobs: Option<mpsc::Sender<Message>>,
    writer: Option<JoinHandle<()>>,
    pub(super) database: PathBuf,
}

impl SqliteStore {
    /// Opens the store in `dir`, which is made if it is missing. Runs that were queued or running
    /// wait again. Blocks for as long as that takes.
    ///
    /// # Errors
    /// [`Error::InUse`], [`Error::Unusable`], [`Error::Newer`], [`Error::Corrupt`]; nothing was
    /// changed then.
    pub fn open(dir: &Path, options: Options) -> Result<Self, Error> {
        let held = Held::take(dir)?;
        let database = held.database().to_owned();
        let mut connection = open::writer(&database)?;
        migrate::migrate(&mut connection, options.clock.now())?;
        let loaded = load::load(&mut connection)?;
        let shared = Arc::new(Shared {
            live: Mutex::new(loaded.live),
            deployments: Mutex::new(loaded.deployments),
            ready: Arc::new(Notify::new()),
            due: watch::Sender::new(loaded.due),
            displaced: Notify::new(),
            readers: Arc::new(Readers::new(database.clone())),
            clock: options.clock,
            holds: AtomicBool::new(schedules::any_held(&connection)?),
        });
        if !shared.live().waiting().is_empty() {
            shared.ready.notify_one();
        }
        if !shared.live().displaced.is_empty() {
            shared.displaced.notify_one();
        }
        let checkpoints = Checkpoints::start(&database, &mut connection)?;
        let (jobs, queue) = mpsc::channel(writer::QUEUE);
        let writer = Writer {
            connection,
            shared: Arc::clone(&shared),
            names: Names::default(),
            next_seq: loaded.next_seq,
            checkpoints,
            held,
        };
        let thread = std::thread::Builder::new()
            .name("store-writer".into())
            .spawn(move || writer.run(queue))
            .map_err(|error| Error::Database(Box::new(error)))?;
        Ok(Self { shared, jobs: Some(jobs), writer: Some(thread), database })
    }

    /// Has the writer do something, all or nothing, and waits for its commit.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        operation: impl FnOnce(&mut Tx<'_>) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        self.write_many((1, 0), operation).await
    }

    /// The same for what makes so many writes, which hold so many bytes together: light ones go
    /// before heavy ones.
    pub(super) async fn write_many<T: Send + 'static>(
        &self,
        (writes, bytes): (usize, usize),
        operation: impl FnOnce(&mut Tx<'_>) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let (reply, answer) = oneshot::channel();
        let job = Box::new(Op::new(operation, reply));
        self.send(Message::Job(job, writer::weight(writes, bytes))).await?;
        answer.await.map_err(|_| Error::Closed)?
    }

    pub(super) async fn send(&self, message: Message) -> Result<(), Error> {
        let jobs = self.jobs.as_ref().ok_or(Error::Closed)?;
        jobs.send(message).await.map_err(|_| Error::Closed)
    }

    /// Claims whose rows do not say so, for views.
    pub(super) fn overlay(&self) -> run_views::Overlay {
        self.shared.live().overlay()
    }

    pub(super) fn check_open(&self) -> Result<(), Error> {
        if self.shared.readers.is_closed() { Err(Error::Closed) } else { Ok(()) }
    }
}

impl Drop for SqliteStore {
    /// Writes what is left and lets the data directory go.
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(writer) = self.writer.take()
            && writer.join().is_err()
        {
            tracing::error!("the writer of the store panicked");
        }
    }
}

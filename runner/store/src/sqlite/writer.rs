//! The one thread that writes: it takes whatever waits, runs it in one transaction with a
//! savepoint for each job, commits once, and then answers everybody. It never lingers.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::checkpoint::Checkpoints;
use super::error::Cause;
use super::load;
use super::names::Names;
use super::open::Held;
use super::queue::Queue;
use super::shared::Shared;
use super::tx::{Changes, Tx};
use crate::contract::Error;

/// Jobs that wait before whoever brings the next one must wait too.
pub(super) const QUEUE: usize = 4_096;
/// A commit is made when its jobs have taken so long: beyond it the gain is small, and the wait is felt
/// by whoever comes next.
const TURN: Duration = Duration::from_millis(1);
/// What each write costs besides its bytes, in bytes: it takes about as long.
const EACH: u64 = 1 << 10;

/// What the writer is asked for.
pub(super) enum Message {
    /// Something to write, and its weight in bytes.
    Job(Box<dyn Job>, u64),
    /// Write what is left, close the database, then answer.
    Close(oneshot::Sender<()>),
}

/// The weight of a job with so many writes that hold so many bytes together.
pub(super) fn weight(writes: usize, bytes: usize) -> u64 {
    EACH.saturating_mul(writes.max(1) as u64).saturating_add(bytes as u64)
}

/// One unit that is all or nothing.
pub(super) trait Job: Send {
    /// Does it inside its savepoint. A failure is kept for the answer; its cause is for those who
    /// share the commit, should it have taken the whole transaction with it.
    fn perform(&mut self, tx: &mut Tx<'_>) -> Result<(), Cause>;
    /// Tells the caller, after the commit; `cause` when that failed.
    fn answer(self: Box<Self>, cause: Option<&Cause>);
}

/// A job from a closure.
pub(super) struct Op<F, T> {
    operation: Option<F>,
    result: Option<Result<T, Error>>,
    reply: oneshot::Sender<Result<T, Error>>,
}

impl<F, T> Op<F, T> {
    pub(super) fn new(operation: F, reply: oneshot::Sender<Result<T, Error>>) -> Self {
        Self { operation: Some(operation), result: None, reply }
    }
}

impl<F, T> Job for Op<F, T>
where
    F: FnOnce(&mut Tx<'_>) -> Result<T, Error> + Send,
    T: Send,
{
    fn perform(&mut self, tx: &mut Tx<'_>) -> Result<(), Cause> {
        let Some(operation) = self.operation.take() else { return Ok(()) };
        let result = operation(tx);
        let cause = result.as_ref().err().map(Cause::from);
        self.result = Some(result);
        cause.map_or(Ok(()), Err)
    }

    fn answer(self: Box<Self>, cause: Option<&Cause>) {
        let result = match (self.result, cause) {
            (Some(Err(error)), _) => Err(error),
            (_, Some(cause)) => Err(cause.clone().into()),
            (Some(done), None) => done,
            (None, None) => Err(Error::Closed),
        };
        // Whoever asked may have gone; what was written stays written.
        drop(self.reply.send(result));
    }
}

/// The writer's own things.
pub(super) struct Writer {
    pub(super) connection: Connection,
    pub(super) shared: Arc<Shared>,
    pub(super) names: Names,
    pub(super) next_seq: i64,
    pub(super) checkpoints: Checkpoints,
    pub(super) held: Held,
}

impl Writer {
    /// Serves until the store is closed or dropped.
    pub(super) fn run(mut self, mut jobs: mpsc::Receiver<Message>) {
        let mut closing: Vec<oneshot::Sender<()>> = Vec::new();
        let mut queue = Queue::default();
        loop {
            let mut next =
                if queue.is_empty() { jobs.blocking_recv() } else { jobs.try_recv().ok() };
            if next.is_none() && queue.is_empty() {
                break;
            }
            while let Some(message) = next {
                match message {
                    Message::Job(job, weight) => queue.push(job, weight),
                    Message::Close(reply) => {
                        jobs.close();
                        closing.push(reply);
                    }
                }
                next = jobs.try_recv().ok();
            }
            self.write(&mut queue);
        }
        let Self { mut connection, shared, held, checkpoints, .. } = self;
        shared.readers.close();
        if let Err(error) = checkpoints.end(&mut connection) {
            tracing::warn!(%error, "the log is still being watched");
        }
        // A store that is dropped is one whose process died.
        if !closing.is_empty()
            && let Err(error) = load::let_go(&connection)
        {
            tracing::warn!(%error, "the next start takes this one for one that died");
        }
        if let Err(error) = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
        {
            tracing::warn!(%error, "the log stays beside the database until the next start");
        }
        drop(connection);
        drop(held);
        for reply in closing {
            if reply.send(()).is_err() {
                tracing::debug!("nobody waits for the store to be closed");
            }
        }
    }

    /// Writes what is first in line in one commit, and answers. When nothing can be written at all,
    /// everybody is told.
    fn write(&mut self, queue: &mut Queue) {
        let mut batch = Vec::new();
        let tried = catch_unwind(AssertUnwindSafe(|| self.transaction(queue, &mut batch)));
        let done = tried.unwrap_or_else(|_| Err(Cause::Database("the writer panicked".into())));
        let cause = match done {
            Ok(changes) => {
                changes.publish(&self.shared);
                None
            }
            Err(cause) => {
                self.names.clear();
                if !self.connection.is_autocommit()
                    && let Err(error) = self.connection.execute_batch("ROLLBACK")
                {
                    tracing::error!(%error, "cannot roll back");
                }
                if batch.is_empty() {
                    batch.extend(std::iter::from_fn(|| queue.pop()));
                }
                Some(cause)
            }
        };
        for job in batch {
            job.answer(cause.as_ref());
        }
    }

    /// Performs the jobs whose turn it is, which are in the batch then, and commits.
    fn transaction(
        &mut self,
        queue: &mut Queue,
        batch: &mut Vec<Box<dyn Job>>,
    ) -> Result<Changes, Cause> {
        let began = Instant::now();
        self.execute("BEGIN IMMEDIATE")?;
        let mut all = Changes::new(Arc::clone(&self.shared));
        while let Some(job) = queue.pop() {
            let job = batch.push_mut(job);
            if let Some(changes) = self.perform(job.as_mut(), &all)? {
                all.absorb(changes);
            }
            if began.elapsed() >= TURN {
                break;
            }
        }
        all.write_counts(&self.connection).map_err(|error| Cause::of(&error))?;
        self.execute("COMMIT")?;
        Ok(all)
    }

    /// Performs a job within the transaction. What it changed if it fails is taken back alone; the
    /// error is that of the whole transaction.
    fn perform(&mut self, job: &mut dyn Job, before: &Changes) -> Result<Option<Changes>, Cause> {
        self.execute("SAVEPOINT job")?;
        let Self { connection, shared, names, next_seq, .. } = self;
        let changes = Changes::new(Arc::clone(shared));
        let mut tx = Tx { connection, shared, names, next_seq, before, changes };
        match job.perform(&mut tx) {
            Ok(()) => {
                let changes = tx.changes;
                self.execute("RELEASE job")?;
                Ok(Some(changes))
            }
            Err(cause) => {
                drop(tx);
                names.clear();
                if connection.is_autocommit() {
                    // SQLite gave up the whole transaction, so every job of it failed.
                    return Err(cause);
                }
                self.execute("ROLLBACK TO job")?;
                self.execute("RELEASE job")?;
                Ok(None)
            }
        }
    }

    fn execute(&self, sql: &str) -> Result<(), Cause> {
        let done = self.connection.prepare_cached(sql).and_then(|mut sql| sql.execute([]));
        done.map(drop).map_err(|error| Cause::of(&error))
    }
}

//! The real store behind a layer of faults.
//!
//! An operation is performed while everything else stands still: the runtime's one thread waits for
//! it. So the order of operations is that of the simulation's time, not that of threads.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use signalbox_core::clock::Timestamp;
use signalbox_core::journal::{Chunk, Entry};
use signalbox_core::why::Standing;
use signalbox_core::{DeploymentId, Digest, RunId, Value, WorkspaceName};
use signalbox_store::contract::{
    Accept, Accepted, AlarmChange, Blob, CallFilter, CallView, Claim, Counts, Deployment,
    Displaced, EndedFilter, Expired, Lately, LiveWorkspace, NewDeployment, Page, Pausable, Pruned,
    QueueView, Retention, RunFilter, RunSummary, RunView, ScheduleState, Waiting, Want, Watch,
    Write, Written,
};
use signalbox_store::sqlite::SqliteStore;
use signalbox_store::{Error, Reply, Store};
use tokio::sync::{Notify, watch};

use crate::faults::Faults;

/// What an operation does, as far as faults go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// It changes what is durable: its answer can be lost, and the runner can die before and after.
    Writes,
    /// It reads, or changes what is in memory only.
    Reads,
}

/// A store that fails.
#[derive(Debug)]
pub(crate) struct FaultyStore {
    inner: Arc<SqliteStore>,
    faults: Arc<Faults>,
}

impl FaultyStore {
    pub(crate) fn new(inner: Arc<SqliteStore>, faults: Arc<Faults>) -> Self {
        Self { inner, faults }
    }

    async fn before(&self, kind: Kind, name: &'static str) -> Result<(), Error> {
        self.way().await;
        let faults = &self.faults;
        if kind == Kind::Writes && faults.happens(faults.rates.crash) {
            faults.crash(&format!("before {name}"));
        }
        if faults.is_crashed() {
            return std::future::pending().await;
        }
        if faults.happens(faults.rates.refused) {
            faults.disturb();
            if kind == Kind::Reads {
                faults.refused_read();
            }
            faults.trace.met(&format!("{name} is refused"));
            return Err(Error::Database("a fault of the simulation, before the commit".into()));
        }
        Ok(())
    }

    async fn after<T>(
        &self,
        kind: Kind,
        name: &'static str,
        done: Result<T, Error>,
    ) -> Result<T, Error> {
        let faults = &self.faults;
        if kind == Kind::Writes && faults.happens(faults.rates.crash) {
            faults.crash(&format!("after {name}"));
        }
        if faults.is_crashed() {
            return std::future::pending().await;
        }
        self.way().await;
        if kind == Kind::Writes && done.is_ok() && faults.happens(faults.rates.lost_answer) {
            faults.disturb();
            faults.trace.met(&format!("the answer of {name} is lost"));
            return Err(Error::Database("a fault of the simulation, after the commit".into()));
        }
        done
    }

    /// Whoever was suspended until a moment is woken at that moment at the latest.
    fn is_woken(&self, done: &[Written]) -> Result<(), String> {
        let due = *self.inner.due().borrow();
        for written in done {
            if let Written::Suspended { until: Some(until), .. } = written
                && due.is_none_or(|due| due > *until)
            {
                return Err(format!("a run waits until {until}, and the next moment is {due:?}"));
            }
        }
        Ok(())
    }

    /// The way there or back.
    async fn way(&self) {
        let dice = &self.faults.dice;
        let way = if self.faults.happens(self.faults.rates.slow) {
            self.faults.disturb();
            self.faults.trace.count("the store is slow");
            dice.millis(3_000)
        } else {
            dice.millis(2)
        };
        if !way.is_zero() {
            tokio::time::sleep(way).await;
        }
    }
}

/// Performs an operation of the inner store with faults around it. What it did can be shown to
/// somebody right after, whoever else is told of it.
macro_rules! through {
    ($self:ident, $kind:ident, $operation:ident($($argument:expr),*)) => {
        through!($self, $kind, $operation($($argument),*), |_| Ok(()))
    };
    ($self:ident, $kind:ident, $operation:ident($($argument:expr),*), $seen:expr) => {
        Box::pin(async move {
            let name = stringify!($operation);
            $self.before(Kind::$kind, name).await?;
            let done = at_once($self.inner.$operation($($argument),*));
            if let Ok(done) = &done {
                $self.faults.saw(($seen)(done));
            }
            $self.after(Kind::$kind, name, done).await
        })
    };
}

/// Waits for an operation on this thread, so that nothing happens meanwhile.
fn at_once<T>(operation: Reply<'_, T>) -> Result<T, Error> {
    // The budget of the present task must not make the operation wait for a turn.
    pollster::block_on(tokio::task::unconstrained(operation))
}

impl Store for FaultyStore {
    fn accept(&self, batch: Vec<Accept>) -> Reply<'_, Vec<Accepted>> {
        let asked = batch.clone();
        through!(self, Writes, accept(batch), |done: &Vec<Accepted>| {
            let mut known = self.faults.model.known();
            let mut both = asked.iter().zip(done);
            both.try_for_each(|(accept, accepted)| known.watch.accepted(accept, accepted))
        })
    }

    fn ready(&self) -> Arc<Notify> {
        self.inner.ready()
    }

    fn waiting(&self) -> Reply<'_, Vec<Waiting>> {
        through!(self, Reads, waiting())
    }

    fn claim(&self, want: Vec<Want>) -> Reply<'_, Vec<Claim>> {
        through!(self, Reads, claim(want), |claims: &Vec<Claim>| {
            let is_over = |run: &RunId| {
                at_once(self.inner.run(run)).is_ok_and(|view| view.summary.state.is_terminal())
            };
            self.faults.model.known().watch.claimed(claims, self.faults.now(), &is_over)
        })
    }

    fn is_claimed(&self, run: &RunId) -> bool {
        self.inner.is_claimed(run)
    }

    fn next_due(&self) -> Option<Timestamp> {
        self.inner.next_due()
    }

    fn displaced(&self) -> Reply<'_, Vec<Displaced>> {
        // It waits until there is something: nobody may wait for it in place.
        self.inner.displaced()
    }

    fn standings(&self, runs: Vec<RunId>, count: bool) -> Reply<'_, Vec<Standing>> {
        through!(self, Reads, standings(runs, count))
    }

    fn queues(&self, workspace: Option<WorkspaceName>, most: usize) -> Reply<'_, Vec<QueueView>> {
        through!(self, Reads, queues(workspace, most))
    }

    fn commit(&self, batch: Vec<Write>) -> Reply<'_, Vec<Written>> {
        let asked = batch.clone();
        through!(self, Writes, commit(batch), |done: &Vec<Written>| {
            let mut known = self.faults.model.known();
            let mut both = asked.iter().zip(done);
            both.try_for_each(|(write, written)| known.watch.wrote(write, written))?;
            drop(known);
            self.is_woken(done)
        })
    }

    fn journal<'a>(&'a self, run: &'a RunId) -> Reply<'a, Vec<Entry>> {
        through!(self, Reads, journal(run))
    }

    fn chunks<'a>(&'a self, run: &'a RunId, after: u32) -> Reply<'a, Vec<(u32, Chunk)>> {
        through!(self, Reads, chunks(run, after))
    }

    fn due(&self) -> watch::Receiver<Option<Timestamp>> {
        self.inner.due()
    }

    fn expire(&self, now: Timestamp) -> Reply<'_, Expired> {
        let clock = self.faults.now();
        through!(self, Writes, expire(now), |done: &Expired| {
            self.faults.model.known().watch.expired(now, clock, done)
        })
    }

    fn accept_with(&self, accept: Accept, record: Chunk) -> Reply<'_, Accepted> {
        let asked = accept.clone();
        through!(self, Writes, accept_with(accept, record), |done: &Accepted| {
            self.faults.model.known().watch.accepted(&asked, done)
        })
    }

    fn dismiss<'a>(&'a self, run: &'a RunId, at: Timestamp) -> Reply<'a, bool> {
        through!(self, Writes, dismiss(run, at))
    }

    fn deploy(&self, batch: Vec<NewDeployment>, blobs: Vec<Blob>) -> Reply<'_, Vec<DeploymentId>> {
        through!(self, Writes, deploy(batch, blobs))
    }

    fn live(&self) -> Reply<'_, Vec<LiveWorkspace>> {
        through!(self, Reads, live())
    }

    fn set_pinned<'a>(&'a self, workspace: &'a WorkspaceName, pinned: bool) -> Reply<'a, ()> {
        through!(self, Writes, set_pinned(workspace, pinned))
    }

    fn retire<'a>(&'a self, workspace: &'a WorkspaceName) -> Reply<'a, ()> {
        through!(self, Writes, retire(workspace))
    }

    fn deployment(&self, id: DeploymentId) -> Reply<'_, Deployment> {
        through!(self, Reads, deployment(id))
    }

    fn deployments<'a>(
        &'a self,
        workspace: &'a WorkspaceName,
        limit: usize,
        before: Option<DeploymentId>,
    ) -> Reply<'a, Vec<Deployment>> {
        through!(self, Reads, deployments(workspace, limit, before))
    }

    fn blob(&self, digest: Digest) -> Reply<'_, Vec<u8>> {
        through!(self, Reads, blob(digest))
    }

    fn known_blobs(&self, digests: Vec<Digest>) -> Reply<'_, Vec<Digest>> {
        through!(self, Reads, known_blobs(digests))
    }

    fn schedules(&self) -> Reply<'_, Vec<ScheduleState>> {
        through!(self, Reads, schedules())
    }

    fn pause(&self, what: Pausable, at: Timestamp) -> Reply<'_, bool> {
        let paused = what.clone();
        through!(self, Writes, pause(what, at), |_: &bool| {
            self.faults.model.known().watch.paused(&paused);
            Ok(())
        })
    }

    fn resume(&self, what: Pausable, at: Timestamp) -> Reply<'_, bool> {
        let resumed = what.clone();
        through!(self, Writes, resume(what, at), |changed: &bool| {
            if *changed {
                self.faults.model.known().watch.resumed(&resumed, at);
            }
            Ok(())
        })
    }

    fn alarm(&self, change: AlarmChange) -> Reply<'_, bool> {
        through!(self, Writes, alarm(change))
    }

    fn watch(&self) -> Reply<'_, Watch> {
        through!(self, Reads, watch())
    }

    fn lately(&self, filter: EndedFilter) -> Reply<'_, Lately> {
        through!(self, Reads, lately(filter))
    }

    fn state_get<'a>(
        &'a self,
        workspace: &'a WorkspaceName,
        name: &'a str,
    ) -> Reply<'a, Option<Value>> {
        through!(self, Reads, state_get(workspace, name))
    }

    fn state_list<'a>(
        &'a self,
        workspace: &'a WorkspaceName,
        prefix: &'a str,
        limit: usize,
    ) -> Reply<'a, Vec<String>> {
        through!(self, Reads, state_list(workspace, prefix, limit))
    }

    fn sealed<'a>(
        &'a self,
        workspace: &'a WorkspaceName,
        names: &'a BTreeSet<String>,
    ) -> Reply<'a, BTreeMap<String, Vec<u8>>> {
        through!(self, Reads, sealed(workspace, names))
    }

    fn set_secret<'a>(
        &'a self,
        workspace: &'a WorkspaceName,
        name: &'a str,
        sealed: Vec<u8>,
        at: Timestamp,
    ) -> Reply<'a, ()> {
        through!(self, Writes, set_secret(workspace, name, sealed, at))
    }

    fn delete_secret<'a>(&'a self, workspace: &'a WorkspaceName, name: &'a str) -> Reply<'a, bool> {
        through!(self, Writes, delete_secret(workspace, name))
    }

    fn secrets<'a>(&'a self, workspace: &'a WorkspaceName) -> Reply<'a, Vec<(String, Timestamp)>> {
        through!(self, Reads, secrets(workspace))
    }

    fn run<'a>(&'a self, id: &'a RunId) -> Reply<'a, RunView> {
        through!(self, Reads, run(id))
    }

    fn runs(&self, filter: RunFilter) -> Reply<'_, Page<RunSummary>> {
        through!(self, Reads, runs(filter))
    }

    fn calls(&self, filter: CallFilter) -> Reply<'_, Page<CallView>> {
        through!(self, Reads, calls(filter))
    }

    fn counts(&self) -> Reply<'_, Vec<Counts>> {
        through!(self, Reads, counts())
    }

    fn setting<'a>(&'a self, key: &'a str) -> Reply<'a, Option<String>> {
        through!(self, Reads, setting(key))
    }

    fn set_setting<'a>(&'a self, key: &'a str, value: &'a str) -> Reply<'a, ()> {
        through!(self, Writes, set_setting(key, value))
    }

    fn backup<'a>(&'a self, to: &'a Path) -> Reply<'a, ()> {
        through!(self, Reads, backup(to))
    }

    fn prune(&self, keep: Retention, now: Timestamp) -> Reply<'_, Pruned> {
        through!(self, Writes, prune(keep, now))
    }

    fn close(&self) -> Reply<'_, ()> {
        through!(self, Reads, close())
    }
}

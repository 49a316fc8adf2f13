//! The contract, method by method: which part does it, on which thread.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use signalbox_core::clock::Timestamp;
use signalbox_core::journal::{Chunk, Entry};
use signalbox_core::why::Standing;
use signalbox_core::{DeploymentId, Digest, RunId, Value, WorkspaceName};
use tokio::sync::{Notify, oneshot, watch};

use super::append::Append;
use super::end::{Continue, End, Retry, Suspend};
use super::prune::Progress;
use super::tx::Tx;
use super::writer::Message;
use super::{
    SqliteStore, accept, alarms, append, backup, belongings, call_views, claim, deploy,
    deployment_views, end, journal, line_views, prune, run_views, schedules, settle, waits,
};
use crate::contract::{
    Accept, Accepted, AlarmChange, Blob, CallFilter, CallView, Claim, Counts, Deployment,
    Displaced, EndedFilter, Error, Expired, Lately, LiveWorkspace, NewDeployment, Page, Pausable,
    Pruned, QueueView, Reply, Retention, RunFilter, RunSummary, RunView, ScheduleState, Store,
    Waiting, Want, Watch, Write, Written,
};

fn write_one(tx: &mut Tx<'_>, write: Write) -> Result<Written, Error> {
    match write {
        Write::Append { run, epoch, number, started_at, chunk, internal } => {
            append::append(tx, Append { run, epoch, number, started_at, chunk, internal })
        }
        Write::Suspend { run, epoch, waits_for, active_us } => {
            end::suspend(tx, &Suspend { run, epoch, waits_for, active_us })
        }
        Write::Retry { run, epoch, number, started_at, chunk, until, error, active_us } => {
            end::retry(
                tx,
                &Retry { run, epoch, number, started_at, chunk, until, error, active_us },
            )
        }
        Write::Continue {
            run,
            epoch,
            number,
            started_at,
            chunk,
            ended_at,
            isolation,
            successor,
        } => end::succeed_by(
            tx,
            Continue { run, epoch, number, started_at, chunk, ended_at, isolation, successor },
        ),
        Write::End {
            run,
            epoch,
            number,
            started_at,
            chunk,
            ending,
            ended_at,
            isolation,
            answer,
            aftermath,
        } => end::end(
            tx,
            &End { run, epoch, number, started_at, chunk, ending, ended_at, isolation, answer },
            aftermath.map(|started| *started),
        ),
        Write::Release { run, epoch, cell_lost, active_us } => {
            end::release(tx, &run, epoch, u32::from(cell_lost), active_us)
        }
        Write::Park { run, epoch, message, reason } => end::park(tx, &run, epoch, message, reason),
        Write::Cancel { run, at, answer } => settle::cancel(tx, &run, at, &answer),
        Write::Fail { run, at, reason, error, aftermath } => {
            settle::fail(tx, &run, at, (reason, error), aftermath.map(|started| *started))
        }
    }
}

impl Store for SqliteStore {
    fn accept(&self, batch: Vec<Accept>) -> Reply<'_, Vec<Accepted>> {
        Box::pin(self.write(move |tx| accept::accept(tx, batch)))
    }

    fn ready(&self) -> Arc<Notify> {
        Arc::clone(&self.shared.ready)
    }

    fn waiting(&self) -> Reply<'_, Vec<Waiting>> {
        Box::pin(async {
            self.check_open()?;
            let mut live = self.shared.live();
            live.line.tick(self.shared.clock.now());
            Ok(live.waiting())
        })
    }

    fn is_claimed(&self, run: &RunId) -> bool {
        self.shared.live().claimed(run).is_some()
    }

    fn next_due(&self) -> Option<Timestamp> {
        self.shared.live().line.next_due()
    }

    fn displaced(&self) -> Reply<'_, Vec<Displaced>> {
        Box::pin(line_views::displaced(&self.shared))
    }

    fn standings(&self, runs: Vec<RunId>, count: bool) -> Reply<'_, Vec<Standing>> {
        Box::pin(line_views::standings(&self.shared, runs, count))
    }

    fn queues(&self, workspace: Option<WorkspaceName>, most: usize) -> Reply<'_, Vec<QueueView>> {
        Box::pin(line_views::queues(&self.shared, workspace, most))
    }

    fn claim(&self, want: Vec<Want>) -> Reply<'_, Vec<Claim>> {
        Box::pin(async move {
            self.check_open()?;
            claim::claim(&self.shared, &want).await
        })
    }

    fn commit(&self, batch: Vec<Write>) -> Reply<'_, Vec<Written>> {
        let weight = (batch.len(), batch.iter().map(Write::weight).sum());
        let each = |tx: &mut Tx<'_>| batch.into_iter().map(|write| write_one(tx, write)).collect();
        Box::pin(self.write_many(weight, each))
    }

    fn journal<'a>(&'a self, run: &'a RunId) -> Reply<'a, Vec<Entry>> {
        let run = run.clone();
        Box::pin(self.shared.readers.read(move |db| journal::entries(db, &run)))
    }

    fn chunks<'a>(&'a self, run: &'a RunId, after: u32) -> Reply<'a, Vec<(u32, Chunk)>> {
        let run = run.clone();
        Box::pin(self.shared.readers.read(move |db| journal::chunks(db, &run, after)))
    }

    fn due(&self) -> watch::Receiver<Option<Timestamp>> {
        self.shared.due.subscribe()
    }

    fn expire(&self, now: Timestamp) -> Reply<'_, Expired> {
        Box::pin(self.write(move |tx| waits::expire(tx, now)))
    }

    fn accept_with(&self, accept: Accept, record: Chunk) -> Reply<'_, Accepted> {
        Box::pin(self.write(move |tx| accept::accept_with(tx, accept, &record)))
    }

    fn dismiss<'a>(&'a self, run: &'a RunId, at: Timestamp) -> Reply<'a, bool> {
        let run = run.clone();
        Box::pin(self.write(move |tx| accept::dismiss(tx, &run, at)))
    }

    fn deploy(&self, batch: Vec<NewDeployment>, blobs: Vec<Blob>) -> Reply<'_, Vec<DeploymentId>> {
        Box::pin(async move {
            for blob in &blobs {
                if Digest::of(&blob.content) != blob.digest {
                    let what = format!("file {} is not what its digest says", blob.digest);
                    return Err(Error::Corrupt(what));
                }
            }
            self.write(move |tx| deploy::deploy(tx, &batch, &blobs)).await
        })
    }

    fn live(&self) -> Reply<'_, Vec<LiveWorkspace>> {
        Box::pin(self.shared.readers.read(deployment_views::live))
    }

    fn set_pinned<'a>(&'a self, workspace: &'a WorkspaceName, pinned: bool) -> Reply<'a, ()> {
        let workspace = workspace.clone();
        Box::pin(self.write(move |tx| deploy::set_pinned(tx, &workspace, pinned)))
    }

    fn retire<'a>(&'a self, workspace: &'a WorkspaceName) -> Reply<'a, ()> {
        let workspace = workspace.clone();
        let now = self.shared.clock.now();
        Box::pin(self.write(move |tx| deploy::retire(tx, &workspace, now)))
    }

    fn deployment(&self, id: DeploymentId) -> Reply<'_, Deployment> {
        Box::pin(self.shared.readers.read(move |db| deployment_views::deployment(db, id)))
    }

    fn deployments<'a>(
        &'a self,
        workspace: &'a WorkspaceName,
        limit: usize,
        before: Option<DeploymentId>,
    ) -> Reply<'a, Vec<Deployment>> {
        let workspace = workspace.clone();
        Box::pin(
            self.shared
                .readers
                .read(move |db| deployment_views::deployments(db, &workspace, limit, before)),
        )
    }

    fn blob(&self, digest: Digest) -> Reply<'_, Vec<u8>> {
        Box::pin(self.shared.readers.read(move |db| deployment_views::blob(db, digest)))
    }

    fn known_blobs(&self, digests: Vec<Digest>) -> Reply<'_, Vec<Digest>> {
        Box::pin(self.shared.readers.read(move |db| deployment_views::known_blobs(db, digests)))
    }

    fn schedules(&self) -> Reply<'_, Vec<ScheduleState>> {
        Box::pin(self.shared.readers.read(schedules::states))
    }

    fn pause(&self, what: Pausable, at: Timestamp) -> Reply<'_, bool> {
        Box::pin(self.write(move |tx| schedules::pause(tx, &what, at)))
    }

    fn resume(&self, what: Pausable, at: Timestamp) -> Reply<'_, bool> {
        Box::pin(self.write(move |tx| schedules::resume(tx, &what, at)))
    }

    fn alarm(&self, change: AlarmChange) -> Reply<'_, bool> {
        Box::pin(self.write(move |tx| alarms::change(tx, change)))
    }

    fn watch(&self) -> Reply<'_, Watch> {
        Box::pin(self.shared.readers.read(alarms::watch))
    }

    fn lately(&self, filter: EndedFilter) -> Reply<'_, Lately> {
        Box::pin(self.shared.readers.read(move |db| alarms::lately(db, &filter)))
    }

    fn state_get<'a>(
        &'a self,
        workspace: &'a WorkspaceName,
        name: &'a str,
    ) -> Reply<'a, Option<Value>> {
        let (workspace, name) = (workspace.clone(), name.to_owned());
        Box::pin(self.shared.readers.read(move |db| belongings::state(db, &workspace, &name)))
    }

    fn state_list<'a>(
        &'a self,
        workspace: &'a WorkspaceName,
        prefix: &'a str,
        limit: usize,
    ) -> Reply<'a, Vec<String>> {
        let (workspace, prefix) = (workspace.clone(), prefix.to_owned());
        Box::pin(
            self.shared
                .readers
                .read(move |db| belongings::state_names(db, &workspace, &prefix, limit)),
        )
    }

    fn sealed<'a>(
        &'a self,
        workspace: &'a WorkspaceName,
        names: &'a BTreeSet<String>,
    ) -> Reply<'a, BTreeMap<String, Vec<u8>>> {
        let (workspace, names) = (workspace.clone(), names.clone());
        Box::pin(self.shared.readers.read(move |db| belongings::sealed(db, &workspace, &names)))
    }

    fn set_secret<'a>(
        &'a self,
        workspace: &'a WorkspaceName,
        name: &'a str,
        sealed: Vec<u8>,
        at: Timestamp,
    ) -> Reply<'a, ()> {
        let (workspace, name) = (workspace.clone(), name.to_owned());
        Box::pin(self.write(move |tx| belongings::set_secret(tx, &workspace, &name, &sealed, at)))
    }

    fn delete_secret<'a>(&'a self, workspace: &'a WorkspaceName, name: &'a str) -> Reply<'a, bool> {
        let (workspace, name) = (workspace.clone(), name.to_owned());
        Box::pin(self.write(move |tx| belongings::delete_secret(tx, &workspace, &name)))
    }

    fn secrets<'a>(&'a self, workspace: &'a WorkspaceName) -> Reply<'a, Vec<(String, Timestamp)>> {
        let workspace = workspace.clone();
        Box::pin(self.shared.readers.read(move |db| belongings::secrets(db, &workspace)))
    }

    fn run<'a>(&'a self, id: &'a RunId) -> Reply<'a, RunView> {
        let (id, overlay) = (id.clone(), self.overlay());
        Box::pin(self.shared.readers.read(move |db| run_views::run(db, &id, &overlay)))
    }

    fn runs(&self, filter: RunFilter) -> Reply<'_, Page<RunSummary>> {
        let overlay = self.overlay();
        Box::pin(self.shared.readers.read(move |db| run_views::runs(db, &filter, &overlay)))
    }

    fn calls(&self, filter: CallFilter) -> Reply<'_, Page<CallView>> {
        let overlay = self.overlay();
        Box::pin(self.shared.readers.read(move |db| call_views::calls(db, &filter, &overlay)))
    }

    fn counts(&self) -> Reply<'_, Vec<Counts>> {
        let overlay = self.overlay();
        Box::pin(self.shared.readers.read(move |db| run_views::counts(db, &overlay)))
    }

    fn setting<'a>(&'a self, key: &'a str) -> Reply<'a, Option<String>> {
        let key = key.to_owned();
        Box::pin(self.shared.readers.read(move |db| belongings::setting(db, &key)))
    }

    fn set_setting<'a>(&'a self, key: &'a str, value: &'a str) -> Reply<'a, ()> {
        let (key, value) = (key.to_owned(), value.to_owned());
        Box::pin(self.write(move |tx| belongings::set_setting(tx, &key, &value)))
    }

    fn backup<'a>(&'a self, to: &'a Path) -> Reply<'a, ()> {
        let (database, to) = (self.database.clone(), to.to_owned());
        Box::pin(async move {
            self.check_open()?;
            let copy =
                tokio::task::spawn_blocking(move || backup::of_database(&database, &to)).await;
            copy.map_err(|error| Error::Database(Box::new(error)))?
        })
    }

    fn prune(&self, keep: Retention, now: Timestamp) -> Reply<'_, Pruned> {
        Box::pin(async move {
            let mut pruned = Pruned::default();
            let mut progress = Progress::start();
            while progress.more {
                progress = self.write(move |tx| prune::old_runs(tx, progress, keep, now)).await?;
                pruned.runs += progress.runs;
            }
            pruned.runs += self.repeat(move |tx| prune::surplus_runs(tx, keep)).await?;
            pruned.deployments = self.repeat(move |tx| prune::deployments(tx, keep)).await?;
            pruned.blobs = self.repeat(prune::blobs).await?;
            self.repeat(move |tx| prune::keys(tx, now)).await?;
            while self.write(prune::shrink).await? > 0 {}
            Ok(pruned)
        })
    }

    fn close(&self) -> Reply<'_, ()> {
        Box::pin(async move {
            let (reply, closed) = oneshot::channel();
            self.send(Message::Close(reply)).await?;
            closed.await.map_err(|_| Error::Closed)
        })
    }
}

impl SqliteStore {
    /// Takes steps until one finds nothing to do; answers what they did together.
    async fn repeat(
        &self,
        step: impl Fn(&mut Tx<'_>) -> Result<u64, Error> + Clone + Send + 'static,
    ) -> Result<u64, Error> {
        let mut total = 0;
        loop {
            let done = self.write(step.clone()).await?;
            if done == 0 {
                return Ok(total);
            }
            total += done;
        }
    }
}

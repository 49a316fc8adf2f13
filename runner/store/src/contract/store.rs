//! The operations of a store.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;

use signalbox_core::clock::Timestamp;
use signalbox_core::journal::{Chunk, Entry};
use signalbox_core::why::Standing;
use signalbox_core::{DeploymentId, Digest, RunId, Value, WorkspaceName};
use tokio::sync::{Notify, watch};

use super::{
    Accept, Accepted, AlarmChange, Blob, CallFilter, CallView, Claim, Counts, Deployment,
    Displaced, EndedFilter, Error, Expired, Lately, LiveWorkspace, NewDeployment, Page, Pausable,
    Pruned, QueueView, Retention, RunFilter, RunSummary, RunView, ScheduleState, Waiting, Want,
    Watch, Write, Written,
};

/// The answer of an operation, later.
pub type Reply<'a, T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send + 'a>>;

/// What the runner remembers.
pub trait Store: Send + Sync + std::fmt::Debug {
    // --- runs ---

    /// Accepts runs durably: whoever has the answer can rely on each [`Accepted::Queued`] run
    /// ending some day. Order of the answers is that of the batch.
    fn accept(&self, batch: Vec<Accept>) -> Reply<'_, Vec<Accepted>>;

    /// Is notified whenever [`Self::waiting`] may have grown; also when runs wait already as the
    /// store is opened. One waiter is woken, now or when it next waits.
    fn ready(&self) -> Arc<Notify>;

    /// How many runs of each workspace wait to be claimed.
    fn waiting(&self) -> Reply<'_, Vec<Waiting>>;

    /// Claims up to so many queued runs of each workspace, oldest first. A claimed run is
    /// `running` for everybody until it ends, suspends, is released, or its claim is lost.
    fn claim(&self, want: Vec<Want>) -> Reply<'_, Vec<Claim>>;

    /// Whether somebody has claimed a run: its end is still to be committed. `false` says nothing.
    fn is_claimed(&self, run: &RunId) -> bool;

    /// When a run that waits for the end of its debounce can be claimed next: [`Self::waiting`] must
    /// be asked again then.
    fn next_due(&self) -> Option<Timestamp>;

    /// Runs that newer ones took the place of, each told once; resolves when there are some. Those
    /// that nobody has dealt with are told again when the store is opened again.
    fn displaced(&self) -> Reply<'_, Vec<Displaced>>;

    /// Where queued runs stand, in the order asked for. With `count`, how many go before each.
    fn standings(&self, runs: Vec<RunId>, count: bool) -> Reply<'_, Vec<Standing>>;

    /// What runs and waits, of one workspace or of all where something does, with at most `most`
    /// runs in each list.
    fn queues(&self, workspace: Option<WorkspaceName>, most: usize) -> Reply<'_, Vec<QueueView>>;

    /// Commits writes of claimed runs. One [`Written`] for each, in order.
    fn commit(&self, batch: Vec<Write>) -> Reply<'_, Vec<Written>>;

    /// The journal of a run in order, with the answers of its waits put into their entries.
    fn journal<'a>(&'a self, run: &'a RunId) -> Reply<'a, Vec<Entry>>;

    /// Log lines and steps of the chunks of a run with a number above `after` (0 for all), each with
    /// its number. Entries are left out: they may be a thousand times as large, and are
    /// [`journal`](Self::journal)'s.
    fn chunks<'a>(&'a self, run: &'a RunId, after: u32) -> Reply<'a, Vec<(u32, Chunk)>>;

    /// The moment at which the next wait of a run ends by itself, or the next deadline passes;
    /// `None` when there is none. Changes with the commits that change it. It may have come without
    /// anything being due: a run that waited was cancelled.
    fn due(&self) -> watch::Receiver<Option<Timestamp>>;

    /// Ends waits whose moment has come by `now`, with their answers and the way back into the
    /// queue in one commit, and tells whose deadline has passed. A bounded number at once.
    fn expire(&self, now: Timestamp) -> Reply<'_, Expired>;

    /// Accepts a run whose record begins with a chunk: results of steps that it need not execute.
    fn accept_with(&self, accept: Accept, record: Chunk) -> Reply<'_, Accepted>;

    /// Notes that somebody has dealt with a failed run. Answers whether it was one that nobody had
    /// dealt with. A re-run that is accepted does the same.
    fn dismiss<'a>(&'a self, run: &'a RunId, at: Timestamp) -> Reply<'a, bool>;

    // --- deployments ---

    /// Records deployments and makes those live that say so, in one commit, with the content of
    /// their files. Answers the ids in order.
    fn deploy(&self, batch: Vec<NewDeployment>, blobs: Vec<Blob>) -> Reply<'_, Vec<DeploymentId>>;

    /// What is live, and how each workspace is held.
    fn live(&self) -> Reply<'_, Vec<LiveWorkspace>>;

    /// Pins a workspace to its live deployment, or lets it follow the source again.
    fn set_pinned<'a>(&'a self, workspace: &'a WorkspaceName, pinned: bool) -> Reply<'a, ()>;

    /// Takes a workspace out of service: it is no longer in the source. Its runs finish.
    fn retire<'a>(&'a self, workspace: &'a WorkspaceName) -> Reply<'a, ()>;

    /// A deployment whole.
    fn deployment(&self, id: DeploymentId) -> Reply<'_, Deployment>;

    /// The deployments of a workspace, newest first.
    fn deployments<'a>(
        &'a self,
        workspace: &'a WorkspaceName,
        limit: usize,
        before: Option<DeploymentId>,
    ) -> Reply<'a, Vec<Deployment>>;

    /// The content of a file.
    fn blob(&self, digest: Digest) -> Reply<'_, Vec<u8>>;

    /// Which of some digests are stored already.
    fn known_blobs(&self, digests: Vec<Digest>) -> Reply<'_, Vec<Digest>>;

    /// Where every schedule of live workspaces stands, in no order.
    fn schedules(&self) -> Reply<'_, Vec<ScheduleState>>;

    /// Pauses schedules. Answers `false` when they were paused already.
    fn pause(&self, what: Pausable, at: Timestamp) -> Reply<'_, bool>;

    /// Lets schedules go on; slots up to now are not owed. Answers `false` when they were not
    /// paused.
    fn resume(&self, what: Pausable, at: Timestamp) -> Reply<'_, bool>;

    // --- alarms ---

    /// Raises or clears an alarm, and starts the runs that tell of it, in one commit. Answers
    /// whether that was to be done: when not, nothing was written.
    fn alarm(&self, change: AlarmChange) -> Reply<'_, bool>;

    /// The alarms that are raised, and the flows that are expected to succeed.
    fn watch(&self) -> Reply<'_, Watch>;

    /// How runs ended lately: of the newest 50,000 that there are.
    fn lately(&self, filter: EndedFilter) -> Reply<'_, Lately>;

    // --- what belongs to one workspace ---

    /// A value of a workspace's state.
    fn state_get<'a>(
        &'a self,
        workspace: &'a WorkspaceName,
        name: &'a str,
    ) -> Reply<'a, Option<Value>>;

    /// Names of a workspace's state that start with `prefix`, in order, at most `limit`.
    fn state_list<'a>(
        &'a self,
        workspace: &'a WorkspaceName,
        prefix: &'a str,
        limit: usize,
    ) -> Reply<'a, Vec<String>>;

    /// The sealed values of secrets, by name, as they are at one moment. Those that are not set are
    /// missing.
    fn sealed<'a>(
        &'a self,
        workspace: &'a WorkspaceName,
        names: &'a BTreeSet<String>,
    ) -> Reply<'a, BTreeMap<String, Vec<u8>>>;

    /// Stores the sealed value of a secret.
    fn set_secret<'a>(
        &'a self,
        workspace: &'a WorkspaceName,
        name: &'a str,
        sealed: Vec<u8>,
        at: Timestamp,
    ) -> Reply<'a, ()>;

    /// Forgets a secret. Answers whether it was there.
    fn delete_secret<'a>(&'a self, workspace: &'a WorkspaceName, name: &'a str) -> Reply<'a, bool>;

    /// Names of a workspace's secrets with the time they were set.
    fn secrets<'a>(&'a self, workspace: &'a WorkspaceName) -> Reply<'a, Vec<(String, Timestamp)>>;

    // --- views ---

    /// One run.
    fn run<'a>(&'a self, id: &'a RunId) -> Reply<'a, RunView>;

    /// Runs, newest first.
    fn runs(&self, filter: RunFilter) -> Reply<'_, Page<RunSummary>>;

    /// Decisions of the broker, newest first.
    fn calls(&self, filter: CallFilter) -> Reply<'_, Page<CallView>>;

    /// Runs by workspace and state, history included.
    fn counts(&self) -> Reply<'_, Vec<Counts>>;

    // --- the store itself ---

    /// A setting of the runner, such as the digest of the admin token.
    fn setting<'a>(&'a self, key: &'a str) -> Reply<'a, Option<String>>;

    /// Stores a setting.
    fn set_setting<'a>(&'a self, key: &'a str, value: &'a str) -> Reply<'a, ()>;

    /// Writes a consistent copy while everything goes on.
    fn backup<'a>(&'a self, to: &'a Path) -> Reply<'a, ()>;

    /// Forgets ended runs, refused deployments and unused files beyond what is kept, in small
    /// transactions.
    fn prune(&self, keep: Retention, now: Timestamp) -> Reply<'_, Pruned>;

    /// Writes what is left and closes. Later calls answer [`Error::Closed`].
    fn close(&self) -> Reply<'_, ()>;
}

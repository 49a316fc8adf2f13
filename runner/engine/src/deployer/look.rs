//! One look at the source.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures_util::{StreamExt as _, stream};
use signalbox_core::catalog::{Workspace, identity};
use signalbox_core::clock::Timestamp;
use signalbox_core::codes::Code;
use signalbox_core::diagnostic::{Diagnostic, Place};
use signalbox_core::source::Folder;
use signalbox_core::{Digest, Revision, WorkspaceName};
use signalbox_store::contract::{Blob, DeploymentOutcome, NewDeployment};
use signalbox_sync::Subtree;
use signalbox_sync::hints::Hint;
use signalbox_workspaces::contract::{self, Candidate, Verdict};
use signalbox_workspaces::plan;
use signalbox_workspaces::root::{Root, RootEntry};

use super::candidate;
use super::service::swap;
use super::tree::{Tree, blocking, read_manifest};
use crate::desk::{Fresh, Memory, Recorded, Rejected};
use crate::live::{Live, LiveInfo};
use crate::options::Error;
use crate::outcome::{self, Outcome, SyncReport, since_ms};
use crate::shared::Shared;

/// The setting that keeps what the last root manifest granted.
pub(super) const GRANTED: &str = "granted";
/// Workspaces that are read and checked side by side.
const SIDE_BY_SIDE: usize = 4;

/// Whether the source is not what was looked at last. Asks git, never the store.
pub(super) async fn is_news(shared: &Shared, memory: &Memory) -> bool {
    if memory.again {
        return true;
    }
    let Some((seen, manifest)) = &memory.seen else { return true };
    let source = Arc::clone(&shared.source);
    match blocking(move || source.head()).await {
        Ok(head) => head != *seen || manifest_digest(shared) != *manifest,
        Err(_) => true,
    }
}

fn manifest_digest(shared: &Shared) -> Option<Digest> {
    let path = shared.manifest.as_ref()?;
    Some(read_manifest(path).map_or(Digest([0; 32]), |content| Digest::of(&content)))
}

/// What a look works with.
struct Look<'a> {
    shared: &'a Shared,
    hint: Hint,
    tree: Tree,
    revision: Revision,
    author: String,
    started_at: Timestamp,
    live: Arc<Live>,
}

/// Looks at the source and makes live what may be.
pub(super) async fn look(shared: &Shared, memory: &mut Memory, hint: Hint) -> SyncReport {
    let started = look_at_head(shared, memory, hint).await;
    let (revision, faults) = match started {
        Ok(Ok(report)) => return report,
        Ok(Err((revision, faults))) => (Some(revision), faults),
        Err(error) => {
            memory.seen = None;
            (None, vec![unreadable(shared, &error)])
        }
    };
    let mut live = Live::clone(&shared.live.load());
    let news = live.root_faults != faults;
    live.root_faults.clone_from(&faults);
    if let Some(revision) = &revision {
        live.head = Some(revision.clone());
    }
    // What stays wrong is said once, however often it is looked at.
    for fault in faults.iter().filter(|_| news) {
        tracing::warn!(code = %fault.code, file = fault.place.file, line = fault.place.line, "{}", fault.message);
    }
    let workspaces = live.last.values().cloned().collect();
    swap(shared, live, &BTreeMap::new());
    SyncReport { revision, root_faults: faults, workspaces }
}

/// The source as a whole cannot be looked at.
fn unreadable(shared: &Shared, error: &Error) -> Diagnostic {
    let mut message = format!("failed to {error}");
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        message = format!("{message}: {cause}");
        source = cause.source();
    }
    Diagnostic::error(error.code(), Place::file(shared.source_name.clone()), message)
        .help("what is live stays live; the next look comes by itself")
}

type RootFaults = (Revision, Vec<Diagnostic>);

async fn look_at_head(
    shared: &Shared,
    memory: &mut Memory,
    hint: Hint,
) -> Result<Result<SyncReport, RootFaults>, Error> {
    let started_at = shared.clock.now();
    let source = Arc::clone(&shared.source);
    let commit = blocking(move || source.head().and_then(|head| source.commit(&head))).await?;
    let tree = Tree::Revision(Arc::clone(&shared.source), commit.revision.clone());
    let root = tree.root(shared.manifest.as_deref()).await?;
    let seen = Some((commit.revision.clone(), manifest_digest(shared)));
    let root = match root {
        Ok((root, _)) => root,
        Err(faults) => {
            memory.seen = seen;
            return Ok(Err((commit.revision, faults)));
        }
    };
    grant(shared, &root).await?;
    let look = Look {
        shared,
        hint,
        tree,
        revision: commit.revision,
        author: commit.author,
        started_at,
        live: shared.live.load_full(),
    };
    memory.again = false;
    let report = look.run(memory, &root).await?;
    // Only now: a look that failed in the middle is made again.
    memory.seen = seen;
    Ok(Ok(report))
}

/// Grants are those of the root manifest, whatever becomes of the workspaces: one that is withdrawn
/// is gone although a revision is refused, pinned or rolled back. Kept for the next start.
async fn grant(shared: &Shared, root: &Root) -> Result<(), Error> {
    let granted: BTreeMap<_, _> =
        root.workspaces.values().map(|entry| (entry.name.clone(), entry.grants.clone())).collect();
    let mut live = Live::clone(&shared.live.load());
    if live.granted == granted {
        return Ok(());
    }
    let text = serde_json::to_string(&granted)
        .map_err(|error| signalbox_store::Error::Corrupt(error.to_string()))?;
    live.granted = granted;
    swap(shared, live, &BTreeMap::new());
    Ok(shared.store.set_setting(GRANTED, &text).await?)
}

/// What is known of a workspace before the contract is checked.
enum Found {
    /// Nothing is to be done.
    Same,
    /// It has a new state.
    Changed(Digest, Result<Fresh, Vec<Diagnostic>>),
}

impl Look<'_> {
    async fn run(&self, memory: &mut Memory, root: &Root) -> Result<SyncReport, Error> {
        let found = self.find(memory, root).await?;
        let verdict = self.judge(root, &found);
        memory.contracts.update(&verdict.live);
        let mut outcomes = BTreeMap::new();
        let mut batch = Vec::new();
        let mut blobs = HashMap::new();
        let ended_at = self.shared.clock.now();
        for (name, found) in found {
            let entry_tree = found.tree;
            let Found::Changed(identity, fresh) = found.state else {
                memory.rejected.remove(&name);
                memory.recorded.remove(&name);
                outcomes.insert(name.clone(), self.unchanged(&name, entry_tree, ended_at));
                continue;
            };
            let faults = match &fresh {
                Err(faults) => Some(faults.clone()),
                Ok(fresh) => verdict.rejected.get(&name).map(|faults| located(faults, fresh)),
            };
            let contracts = memory.contracts.around(&name);
            let same =
                |known: &&Recorded| known.identity == identity && known.contracts == contracts;
            match (faults, memory.recorded.get(&name).filter(same)) {
                (Some(_), Some(known)) => {
                    outcomes.insert(name.clone(), known.outcome.clone());
                    remember(memory, name, identity, fresh);
                }
                (Some(faults), _) => {
                    let new = self.record(&name, entry_tree, identity, contracts, ended_at);
                    batch.push(NewDeployment {
                        outcome: DeploymentOutcome::Rejected,
                        diagnostics: faults,
                        ..new
                    });
                    remember(memory, name, identity, fresh);
                }
                (None, _) => {
                    memory.rejected.remove(&name);
                    memory.recorded.remove(&name);
                    let Ok(fresh) = fresh else { continue };
                    let new = self.record(&name, entry_tree, identity, contracts, ended_at);
                    batch.push(self.accepted(new, &fresh, &verdict, &mut blobs));
                }
            }
        }
        let removed = self.vanished(root);
        let changes = Changes { deployments: batch, blobs: blobs.into_values().collect(), removed };
        self.commit(memory, changes, outcomes).await
    }

    /// Reads every workspace whose identity is not that of what is live.
    async fn find(
        &self,
        memory: &Memory,
        root: &Root,
    ) -> Result<BTreeMap<WorkspaceName, FoundAt>, Error> {
        let entries: Vec<_> = root.workspaces.values().collect();
        let paths = entries.iter().map(|entry| entry.path.clone()).collect();
        let trees = self.tree.subtrees(paths).await?;
        let mut found = BTreeMap::new();
        let mut to_read = Vec::new();
        for (entry, subtree) in entries.into_iter().zip(trees) {
            let at = |tree: String, state| FoundAt { tree, state };
            let place = || entry.place.clone();
            let fault = match subtree {
                Subtree::Found(tree) => {
                    let identity = identity(&tree, entry.config_hash);
                    if self.is_settled(&entry.name, identity) {
                        found.insert(entry.name.clone(), at(tree, Found::Same));
                    } else if let Some(known) =
                        memory.rejected.get(&entry.name).filter(|known| known.identity == identity)
                    {
                        let state = Found::Changed(identity, known.fresh.clone());
                        found.insert(entry.name.clone(), at(tree, state));
                    } else {
                        to_read.push((entry.clone(), tree, identity));
                    }
                    continue;
                }
                Subtree::Missing => {
                    let message = format!("the folder `{}` does not exist", entry.path);
                    Diagnostic::error(Code::FileMissing, place(), message)
                        .help("correct `path`, or take the workspace out")
                }
                Subtree::Refused(diagnostic) => diagnostic,
            };
            let state = Found::Changed(identity("", entry.config_hash), Err(vec![fault]));
            found.insert(entry.name.clone(), at(String::new(), state));
        }
        let desk = &self.shared.desk;
        desk.begin(to_read.len());
        let reading = to_read.into_iter().map(|(entry, tree, id)| self.read(entry, tree, id));
        let mut reading = stream::iter(reading).buffer_unordered(SIDE_BY_SIDE);
        while let Some(read) = reading.next().await {
            let (name, at) = read?;
            desk.checked.fetch_add(1, Ordering::Relaxed);
            found.insert(name, at);
        }
        Ok(found)
    }

    async fn read(
        &self,
        entry: RootEntry,
        tree: String,
        identity: Digest,
    ) -> Result<(WorkspaceName, FoundAt), Error> {
        let cells = self.shared.doors.cells.as_ref();
        let fresh = candidate::read(&self.tree, &entry, &self.revision, cells).await?;
        Ok((entry.name, FoundAt { tree, state: Found::Changed(identity, fresh) }))
    }

    /// Whether a workspace is live as the source wants it, or pinned to something else.
    fn is_settled(&self, name: &WorkspaceName, identity: Digest) -> bool {
        self.live.find(name).is_some_and(|(spec, info)| info.pinned || spec.identity() == identity)
    }

    /// Checks the contract over the set that would be live.
    fn judge(&self, root: &Root, found: &BTreeMap<WorkspaceName, FoundAt>) -> Verdict {
        let mut candidates = BTreeMap::new();
        for (name, spec) in &self.live.catalog.workspaces {
            let new = root.workspaces.contains_key(name).then(|| Arc::clone(spec));
            let candidate = Candidate { new, live: Some(Arc::clone(spec)) };
            candidates.insert(name.clone(), candidate);
        }
        for (name, found) in found {
            if let Found::Changed(_, Ok(fresh)) = &found.state {
                let candidate = candidates.entry(name.clone()).or_default();
                candidate.new = Some(Arc::clone(&fresh.spec));
            }
        }
        contract::check(&candidates, root.atomic)
    }

    fn unchanged(&self, name: &WorkspaceName, tree: String, ended_at: Timestamp) -> Outcome {
        Outcome {
            workspace: name.clone(),
            deployment: self.live.info.get(name).map(|info| info.deployment),
            commit: self.revision.clone(),
            tree,
            outcome: DeploymentOutcome::Unchanged,
            diagnostics: Vec::new(),
            started_at: self.started_at,
            ended_at,
            author: self.author.clone(),
            added: Vec::new(),
            changed: Vec::new(),
            removed: Vec::new(),
            hint: self.hint.kind.as_str().to_owned(),
            hint_to_live_ms: None,
        }
    }

    /// What every record of this look has in common.
    fn record(
        &self,
        name: &WorkspaceName,
        tree: String,
        identity: Digest,
        contracts: Digest,
        ended_at: Timestamp,
    ) -> NewDeployment {
        NewDeployment {
            workspace: name.clone(),
            source: self.shared.source_name.clone(),
            revision: self.revision.clone(),
            tree,
            identity,
            contracts,
            outcome: DeploymentOutcome::Deployed,
            spec: None,
            diagnostics: Vec::new(),
            author: self.author.clone(),
            added: Vec::new(),
            changed: Vec::new(),
            removed: Vec::new(),
            hint: self.hint.kind.as_str().to_owned(),
            hint_to_live_ms: None,
            started_at: self.started_at,
            ended_at,
            pin: false,
        }
    }

    fn accepted(
        &self,
        new: NewDeployment,
        fresh: &Fresh,
        verdict: &Verdict,
        blobs: &mut HashMap<Digest, Blob>,
    ) -> NewDeployment {
        let before = self.live.catalog.workspaces.get(&new.workspace);
        let changes = plan::changes(before.map(AsRef::as_ref), Some(&fresh.spec));
        let mut diagnostics = fresh.warnings.clone();
        let warnings = verdict.warnings.get(&new.workspace);
        diagnostics.extend(warnings.into_iter().flat_map(|found| located(found, fresh)));
        collect_blobs(&fresh.folder, blobs);
        NewDeployment {
            spec: Some(Arc::clone(&fresh.spec)),
            diagnostics,
            added: changes.added,
            changed: changes.changed,
            removed: changes.removed,
            hint_to_live_ms: Some(since_ms(self.hint.received)),
            ..new
        }
    }

    /// Live workspaces that the root manifest no longer names.
    fn vanished(&self, root: &Root) -> Vec<WorkspaceName> {
        let live = self.live.catalog.workspaces.keys();
        live.filter(|name| !root.workspaces.contains_key(name)).cloned().collect()
    }

    /// Records everything, swaps what is live, and reports.
    async fn commit(
        &self,
        memory: &mut Memory,
        Changes { deployments, blobs, removed }: Changes,
        mut outcomes: BTreeMap<WorkspaceName, Outcome>,
    ) -> Result<SyncReport, Error> {
        let store = &self.shared.store;
        let ids = if deployments.is_empty() {
            Vec::new()
        } else {
            store.deploy(deployments.clone(), blobs).await?
        };
        let mut live = Live::clone(&self.live);
        let mut changed = BTreeMap::new();
        for (id, new) in ids.into_iter().zip(deployments) {
            let name = new.workspace.clone();
            let outcome =
                outcome::of(&signalbox_store::contract::Deployment { id, new: new.clone() });
            if let Some(spec) = new.spec {
                self.go_live(&mut live, id, spec, new.ended_at);
            } else {
                let (identity, contracts) = (new.identity, new.contracts);
                let recorded = Recorded { identity, contracts, outcome: outcome.clone() };
                memory.recorded.insert(name.clone(), recorded);
            }
            log(&outcome);
            changed.insert(name.clone(), outcome.clone());
            outcomes.insert(name, outcome);
        }
        for name in removed {
            if let Err(error) = store.retire(&name).await {
                // What is deployed is live all the same; this is looked at again.
                tracing::error!(workspace = %name, %error, "cannot retire a workspace");
                memory.again = true;
                continue;
            }
            live.info.remove(&name);
            live.catalog.workspaces.remove(&name);
            tracing::info!(workspace = %name, "no longer in the source: retired");
        }
        live.head = Some(self.revision.clone());
        live.root_faults = Vec::new();
        live.last.clone_from(&outcomes);
        swap(self.shared, live, &changed);
        Ok(SyncReport {
            revision: Some(self.revision.clone()),
            root_faults: Vec::new(),
            workspaces: outcomes.into_values().collect(),
        })
    }

    fn go_live(
        &self,
        live: &mut Live,
        id: signalbox_core::DeploymentId,
        spec: Arc<Workspace>,
        at: Timestamp,
    ) {
        let name = spec.name.clone();
        self.shared.revisions.insert(id, Arc::clone(&spec));
        let created_at = live.info.get(&name).map_or(at, |info| info.created_at);
        let paused_at = live.info.get(&name).and_then(|info| info.paused_at);
        let info =
            LiveInfo { deployment: id, pinned: false, created_at, updated_at: at, paused_at };
        live.info.insert(name.clone(), info);
        live.catalog.workspaces.insert(name, spec);
    }
}

/// What a look brings about.
struct Changes {
    deployments: Vec<NewDeployment>,
    blobs: Vec<Blob>,
    removed: Vec<WorkspaceName>,
}

/// A workspace with the id of its tree.
struct FoundAt {
    tree: String,
    state: Found,
}

/// Keeps what was read and not let live. A check that was lost may have been lost to a busy
/// machine: it is made again.
fn remember(
    memory: &mut Memory,
    name: WorkspaceName,
    identity: Digest,
    fresh: Result<Fresh, Vec<Diagnostic>>,
) {
    let lost = |faults: &Vec<Diagnostic>| faults.iter().any(|f| f.code == Code::CheckLost);
    if !fresh.as_ref().err().is_some_and(lost) {
        memory.rejected.insert(name, Rejected { identity, fresh });
    }
}

/// What the contract check found, with places and source lines from the workspace's files.
fn located(found: &[Diagnostic], fresh: &Fresh) -> Vec<Diagnostic> {
    let mut found = found.to_vec();
    signalbox_workspaces::locate(&mut found, &fresh.folder);
    found
}

fn collect_blobs(folder: &Folder, blobs: &mut HashMap<Digest, Blob>) {
    for file in folder.files.values() {
        let blob = || Blob { digest: file.digest, content: Arc::clone(&file.content) };
        blobs.entry(file.digest).or_insert_with(blob);
    }
}

fn log(outcome: &Outcome) {
    let Outcome { workspace, commit, .. } = outcome;
    let short = &commit.as_str()[..12.min(commit.as_str().len())];
    let faults = outcome.diagnostics.iter().filter(|fault| fault.is_error()).count();
    match outcome.outcome {
        DeploymentOutcome::Rejected => {
            tracing::warn!(%workspace, revision = short, faults, "rejected; what was live stays live");
        }
        other => tracing::info!(%workspace, revision = short, "{}", other.as_str()),
    }
}

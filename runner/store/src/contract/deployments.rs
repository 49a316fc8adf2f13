//! Deployments, what is live, and the slots of schedules.

use std::sync::Arc;

use signalbox_core::catalog::Workspace;
use signalbox_core::clock::Timestamp;
use signalbox_core::diagnostic::Diagnostic;
use signalbox_core::schedule::Overlap;
use signalbox_core::{DeploymentId, Digest, FlowName, Revision, WorkspaceName};

/// What became of the attempt to bring a workspace to a revision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DeploymentOutcome {
    /// The revision is live.
    Deployed,
    /// The workspace is the same as before; nothing was to be done. Never stored.
    Unchanged,
    /// The revision has faults; what was live before still is.
    Rejected,
    /// A newer revision came before this one was live.
    Superseded,
    /// It is held back until somebody confirms.
    Held,
    /// An earlier deployment went live again.
    RolledBack,
}

impl DeploymentOutcome {
    /// Every outcome.
    pub const ALL: [Self; 6] = [
        Self::Deployed,
        Self::Unchanged,
        Self::Rejected,
        Self::Superseded,
        Self::Held,
        Self::RolledBack,
    ];

    /// The outcome's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Deployed => "deployed",
            Self::Unchanged => "unchanged",
            Self::Rejected => "rejected",
            Self::Superseded => "superseded",
            Self::Held => "held",
            Self::RolledBack => "rolled_back",
        }
    }
}

/// A deployment that is to be recorded.
#[derive(Debug, Clone, PartialEq)]
pub struct NewDeployment {
    /// The workspace.
    pub workspace: WorkspaceName,
    /// Which source it came from; one runner has one source today.
    pub source: String,
    /// The commit.
    pub revision: Revision,
    /// The workspace's tree at the commit.
    pub tree: String,
    /// The workspace's identity: tree, entry in the root manifest, validator.
    pub identity: Digest,
    /// Digest of the contracts it was checked against: with the identity the key of a rejection.
    pub contracts: Digest,
    /// What became of it.
    pub outcome: DeploymentOutcome,
    /// The workspace, when it could be read whole. Must be there when the outcome makes it live.
    pub spec: Option<Arc<Workspace>>,
    /// Every fault.
    pub diagnostics: Vec<Diagnostic>,
    /// Author of the commit.
    pub author: String,
    /// Flows that are new.
    pub added: Vec<FlowName>,
    /// Flows that changed.
    pub changed: Vec<FlowName>,
    /// Flows that are gone.
    pub removed: Vec<FlowName>,
    /// What told the runner to look: `poll`, `api`, `cli`, ...
    pub hint: String,
    /// From the hint to being live, in milliseconds.
    pub hint_to_live_ms: Option<f64>,
    /// When work on it began.
    pub started_at: Timestamp,
    /// When it was decided.
    pub ended_at: Timestamp,
    /// Whether the workspace is pinned to it (a rollback is).
    pub pin: bool,
}

/// A deployment as recorded.
#[derive(Debug, Clone, PartialEq)]
pub struct Deployment {
    /// Its number.
    pub id: DeploymentId,
    /// All of it.
    pub new: NewDeployment,
}

/// A live workspace.
#[derive(Debug, Clone, PartialEq)]
pub struct LiveWorkspace {
    /// The deployment that is live.
    pub deployment: DeploymentId,
    /// The workspace at it.
    pub spec: Arc<Workspace>,
    /// Whether it stays there whatever is pushed.
    pub pinned: bool,
    /// When the workspace was first deployed.
    pub created_at: Timestamp,
    /// When the live deployment went live.
    pub updated_at: Timestamp,
    /// Since when its schedules are paused.
    pub paused_at: Option<Timestamp>,
}

/// The content of a file, addressed by its digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blob {
    /// Digest of the content.
    pub digest: Digest,
    /// The content.
    pub content: Arc<[u8]>,
}

/// A schedule in full.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ScheduleKey {
    /// The workspace.
    pub workspace: WorkspaceName,
    /// The flow.
    pub flow: FlowName,
    /// The schedule's identity in it.
    pub schedule: String,
}

/// A slot of a schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slot {
    /// The schedule.
    pub schedule: ScheduleKey,
    /// Its nominal time.
    pub at: Timestamp,
    /// What becomes of it while the run of an earlier one has not ended.
    pub overlap: Overlap,
}

/// Where a schedule stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScheduleState {
    /// The schedule.
    pub key: ScheduleKey,
    /// Its last slot that fired, or since when it counts.
    pub last_slot: Timestamp,
    /// Since when it is paused, itself.
    pub paused_at: Option<Timestamp>,
}

/// What can be paused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pausable {
    /// Every schedule of a workspace.
    Workspace(WorkspaceName),
    /// One schedule.
    Schedule(ScheduleKey),
}

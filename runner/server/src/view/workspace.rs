//! A workspace, live or not.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use signalbox_core::WorkspaceName;
use signalbox_core::alarm::Raised;
use signalbox_engine::{Live, Outcome};
use signalbox_store::contract::{Counts, DeploymentOutcome};
use utoipa::ToSchema;

use super::deployment::OutcomeJson;
use super::health::AlarmJson;
use super::time;

/// A workspace that is live, or that the root manifest names.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Workspace)]
pub(crate) struct WorkspaceJson {
    /// The same as `name`.
    pub(crate) id: String,
    pub(crate) name: String,
    /// `platform` or `domain`; null while nothing is live.
    pub(crate) kind: Option<&'static str>,
    pub(crate) title: String,
    pub(crate) description: Option<String>,
    pub(crate) environment: Option<String>,
    pub(crate) owner: Option<String>,
    pub(crate) tags: Vec<String>,
    pub(crate) state: Standing,
    pub(crate) pinned: bool,
    /// Since when its schedules are paused.
    pub(crate) paused_at: Option<String>,
    /// The commit that is live.
    pub(crate) live_revision: Option<String>,
    /// The commit that the source wants, as of the last look.
    pub(crate) wanted_revision: Option<String>,
    /// The live tree of its folder.
    pub(crate) tree: Option<String>,
    /// Digest of its entry in the root manifest.
    pub(crate) config_hash: Option<String>,
    /// When it first went live.
    pub(crate) created_at: Option<String>,
    /// When what is live went live.
    pub(crate) updated_at: Option<String>,
    /// The deployment that is live.
    pub(crate) deployment: Option<String>,
    /// The last outcome; null when the source was not looked at since the runner started.
    pub(crate) last_deployment: Option<OutcomeJson>,
    pub(crate) counts: WorkspaceCounts,
    /// Alarms that are raised, of the workspace and its flows.
    pub(crate) alarms: Vec<AlarmJson>,
}

/// How a workspace stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Standing {
    /// What the source wants is live.
    Live,
    /// Something older is live than what the source wants.
    Behind,
    /// Something is live by somebody's choice, whatever the source wants.
    Pinned,
    /// Nothing is live.
    NotLive,
}

impl Standing {
    /// Every standing, for metrics.
    pub(crate) const ALL: [Self; 4] = [Self::Live, Self::Behind, Self::Pinned, Self::NotLive];

    /// Its name.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Behind => "behind",
            Self::Pinned => "pinned",
            Self::NotLive => "not_live",
        }
    }

    /// How a workspace stands.
    pub(crate) fn of(live: &Live, name: &WorkspaceName) -> Self {
        match live.find(name) {
            None => Self::NotLive,
            Some((_, info)) if info.pinned => Self::Pinned,
            Some(_) if live.last.get(name).is_none_or(is_live) => Self::Live,
            Some(_) => Self::Behind,
        }
    }
}

/// Whether what was wanted is live.
fn is_live(last: &Outcome) -> bool {
    match last.outcome {
        DeploymentOutcome::Deployed
        | DeploymentOutcome::Unchanged
        | DeploymentOutcome::RolledBack => true,
        DeploymentOutcome::Rejected | DeploymentOutcome::Superseded | DeploymentOutcome::Held => {
            false
        }
    }
}

/// How much a workspace has.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(crate) struct WorkspaceCounts {
    pub(crate) flows: usize,
    pub(crate) schedules: usize,
    /// Runs by state, history included.
    pub(crate) runs: BTreeMap<&'static str, u64>,
}

/// Every workspace that is live or that the root manifest names.
pub(crate) fn names(live: &Live) -> BTreeSet<&WorkspaceName> {
    live.catalog.workspaces.keys().chain(live.last.keys()).collect()
}

impl WorkspaceJson {
    /// A workspace; `None` when there is none of that name.
    pub(crate) fn find(
        live: &Live,
        name: &WorkspaceName,
        counts: &[Counts],
        alarms: &[Raised],
    ) -> Option<Self> {
        let held = live.find(name);
        let last = live.last.get(name);
        if held.is_none() && last.is_none() {
            return None;
        }
        let spec = held.map(|(spec, _)| spec);
        let info = held.map(|(_, info)| info);
        let about = spec.map(|spec| spec.about.clone()).unwrap_or_default();
        let wanted = last.map(|outcome| &outcome.commit).or(live.head.as_ref());
        Some(Self {
            id: name.to_string(),
            name: name.to_string(),
            kind: spec.map(|spec| spec.kind.as_str()),
            title: about.title.unwrap_or_else(|| name.to_string()),
            description: about.description,
            environment: about.environment,
            owner: about.owner,
            tags: about.tags,
            state: Standing::of(live, name),
            pinned: info.is_some_and(|info| info.pinned),
            paused_at: time(info.and_then(|info| info.paused_at)),
            live_revision: spec.map(|spec| spec.revision.to_string()),
            wanted_revision: wanted.map(ToString::to_string),
            tree: spec.map(|spec| spec.tree.clone()),
            config_hash: spec.map(|spec| spec.config_hash.to_string()),
            created_at: info.map(|info| info.created_at.to_string()),
            updated_at: info.map(|info| info.updated_at.to_string()),
            deployment: info.map(|info| info.deployment.to_string()),
            last_deployment: last.map(Into::into),
            counts: WorkspaceCounts {
                flows: spec.map_or(0, |spec| spec.flows.len()),
                schedules: spec
                    .map_or(0, |spec| spec.flows.values().map(|flow| flow.schedules.len()).sum()),
                runs: runs_of(name, counts),
            },
            alarms: alarms
                .iter()
                .filter(|alarm| alarm.subject.workspace == *name)
                .map(Into::into)
                .collect(),
        })
    }
}

fn runs_of(name: &WorkspaceName, counts: &[Counts]) -> BTreeMap<&'static str, u64> {
    let of = counts.iter().find(|counts| counts.workspace == *name);
    of.into_iter()
        .flat_map(|counts| &counts.runs)
        .map(|(state, count)| (state.as_str(), *count))
        .collect()
}

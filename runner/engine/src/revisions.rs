//! Workspaces as they were at the deployments that runs are pinned to.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use signalbox_core::DeploymentId;
use signalbox_core::catalog::Workspace;
use signalbox_store::Store;

use crate::live::Live;
use crate::options::Error;

/// Deployments that are kept in memory besides the live ones.
const KEPT: usize = 64;

/// A workspace at a deployment, with the text of its scripts.
#[derive(Debug)]
pub(crate) struct Pinned {
    pub(crate) deployment: DeploymentId,
    pub(crate) spec: Arc<Workspace>,
    sources: tokio::sync::OnceCell<BTreeMap<String, Arc<str>>>,
}

impl Pinned {
    /// A workspace without flows.
    #[cfg(test)]
    pub(crate) fn for_tests(deployment: DeploymentId) -> Self {
        let revision = "a".repeat(40).parse().unwrap();
        let kind = signalbox_core::catalog::Kind::Domain;
        let spec = Workspace::new("one".parse().unwrap(), kind, revision);
        Self { deployment, spec: Arc::new(spec), sources: tokio::sync::OnceCell::new() }
    }

    /// The text of every script and library that some flow reaches, by path from the workspace's
    /// folder. Read from the store once.
    pub(crate) async fn sources(
        &self,
        store: &dyn Store,
    ) -> Result<&BTreeMap<String, Arc<str>>, Error> {
        self.sources.get_or_try_init(|| self.read(store)).await
    }

    async fn read(&self, store: &dyn Store) -> Result<BTreeMap<String, Arc<str>>, Error> {
        let wanted: BTreeSet<_> =
            self.spec.flows.values().flat_map(|flow| &flow.plan.sources).collect();
        let mut sources = BTreeMap::new();
        for path in wanted {
            let missing = || signalbox_store::Error::Corrupt(format!("`{path}` is not stored"));
            let digest = self.spec.sources.get(path).ok_or_else(missing)?;
            let content = store.blob(*digest).await?;
            let text = String::from_utf8(content).map_err(|_| missing())?;
            sources.insert(path.clone(), Arc::from(text));
        }
        Ok(sources)
    }
}

/// The deployments that runs are pinned to.
#[derive(Debug)]
pub(crate) struct Revisions {
    store: Arc<dyn Store>,
    known: Mutex<HashMap<DeploymentId, Arc<Pinned>>>,
}

impl Revisions {
    pub(crate) fn new(store: Arc<dyn Store>, live: &Live) -> Self {
        let revisions = Self { store, known: Mutex::default() };
        for (spec, info) in live.catalog.workspaces.values().zip(live.info.values()) {
            revisions.insert(info.deployment, Arc::clone(spec));
        }
        revisions
    }

    pub(crate) fn insert(&self, deployment: DeploymentId, spec: Arc<Workspace>) -> Arc<Pinned> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= KEPT {
            // Those that no run and no cell uses are read again when they are wanted.
            known.retain(|_, pinned| Arc::strong_count(pinned) > 1);
        }
        let fresh = || Arc::new(Pinned { deployment, spec, sources: tokio::sync::OnceCell::new() });
        Arc::clone(known.entry(deployment).or_insert_with(fresh))
    }

    /// A deployment that is in memory.
    pub(crate) fn find(&self, deployment: DeploymentId) -> Option<Arc<Pinned>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).get(&deployment).cloned()
    }

    pub(crate) async fn get(&self, deployment: DeploymentId) -> Result<Arc<Pinned>, Error> {
        if let Some(pinned) = self.find(deployment) {
            return Ok(pinned);
        }
        let stored = self.store.deployment(deployment).await?;
        let missing =
            || signalbox_store::Error::Corrupt(format!("deployment {deployment} has no workspace"));
        let spec = stored.new.spec.ok_or_else(missing)?;
        Ok(self.insert(deployment, spec))
    }
}

//! Webhooks of live workspaces, for those who look.

use std::collections::BTreeSet;

use signalbox_core::WorkspaceName;
use signalbox_core::webhook::Webhook;

use crate::options::Error;
use crate::shared::Shared;

/// A live webhook.
#[derive(Debug, Clone, PartialEq)]
pub struct WebhookView {
    /// The workspace.
    pub workspace: WorkspaceName,
    /// Its name there.
    pub name: String,
    /// What is declared of it.
    pub webhook: Webhook,
    /// Names of its secrets that are not set.
    pub missing: Vec<String>,
}

/// Every live webhook, by workspace and name.
pub(crate) async fn list(shared: &Shared) -> Result<Vec<WebhookView>, Error> {
    let live = shared.live.load_full();
    let mut all = Vec::new();
    for (workspace, spec) in live.catalog.workspaces.iter().filter(|(_, s)| !s.webhooks.is_empty())
    {
        let set = shared.store.secrets(workspace).await?;
        let set: BTreeSet<_> = set.into_iter().map(|(name, _)| name).collect();
        for (name, webhook) in &spec.webhooks {
            let missing = webhook.auth.secrets().iter().filter(|secret| !set.contains(*secret));
            all.push(WebhookView {
                workspace: workspace.clone(),
                name: name.clone(),
                missing: missing.cloned().collect(),
                webhook: webhook.clone(),
            });
        }
    }
    Ok(all)
}

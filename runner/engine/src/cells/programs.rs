//! Which programs a cell has already.

use std::collections::{HashMap, HashSet};

use signalbox_cell::protocol::ToCell;
use signalbox_core::catalog::{ConnectorKind, Workspace};
use signalbox_core::{DeploymentId, FlowName};
use signalbox_store::Store;

use crate::link::Assignment;
use crate::options::Error;

/// Deployments whose programs a cell keeps; older ones are forgotten when nothing runs them.
#[derive(Debug, Default)]
pub(super) struct Programs {
    known: HashMap<(DeploymentId, FlowName), u32>,
    sources: HashSet<(DeploymentId, String)>,
    next: u32,
}

impl Programs {
    /// The number of a run's program, with the frames that the cell needs first.
    pub(super) async fn prepare(
        &mut self,
        assignment: &Assignment,
        store: &dyn Store,
    ) -> Result<(u32, Vec<ToCell>), Error> {
        let Assignment { claim, pinned, .. } = assignment;
        let key = (pinned.deployment, claim.run.flow.clone());
        if let Some(program) = self.known.get(&key) {
            return Ok((*program, Vec::new()));
        }
        let missing = || {
            signalbox_store::Error::NotFound(format!(
                "flow `{}` in deployment {}",
                claim.run.flow, pinned.deployment
            ))
        };
        let flow = pinned.spec.flows.get(&claim.run.flow).ok_or_else(missing)?;
        let texts = pinned.sources(store).await?;
        let mut frames = Vec::new();
        for path in &flow.plan.sources {
            if !self.sources.contains(&(pinned.deployment, path.clone())) {
                let text = texts.get(path).ok_or_else(missing)?.to_string();
                frames.push(ToCell::Source { tree: pinned.deployment.0, path: path.clone(), text });
            }
        }
        let plan = serde_json::to_string(&flow.plan)
            .map_err(|error| signalbox_store::Error::Corrupt(error.to_string()))?;
        self.next += 1;
        frames.push(program(self.next, pinned.deployment, &pinned.spec, flow.file.clone(), plan));
        let sent = flow.plan.sources.iter().map(|path| (pinned.deployment, path.clone()));
        self.sources.extend(sent);
        self.known.insert(key, self.next);
        Ok((self.next, frames))
    }
}

fn program(
    program: u32,
    deployment: DeploymentId,
    spec: &Workspace,
    file: String,
    plan: String,
) -> ToCell {
    let kind = |kind| match kind {
        ConnectorKind::Http => "http",
        ConnectorKind::Slack => "slack",
        ConnectorKind::Log => "log",
        ConnectorKind::System => "system",
        ConnectorKind::Probe => "probe",
    };
    ToCell::Program {
        program,
        tree: deployment.0,
        file,
        plan,
        env: spec.env.clone(),
        secrets: spec.secrets.iter().cloned().collect(),
        connectors: spec
            .connectors
            .iter()
            .map(|(name, connector)| (name.clone(), kind(connector.kind).to_owned()))
            .collect(),
        operations: spec.grants.limits.operations,
    }
}

//! Ended runs that are started again: whole or from a step, as they were or with other inputs; and
//! the dead letters that somebody deals with.

use std::collections::{BTreeMap, BTreeSet};

use signalbox_core::catalog::Flow;
use signalbox_core::codes::Code;
use signalbox_core::diagnostic::did_you_mean;
use signalbox_core::ids::FlowRef;
use signalbox_core::journal::{Chunk, Entry, Outcome};
use signalbox_core::run::{State, Trigger};
use signalbox_core::{DeploymentId, RunId, Value, value};
use signalbox_store::contract::{Accept, RunView};

use crate::options::Error;
use crate::runs::unfit;
use crate::shared::Shared;

/// The kind of the entries that results of steps are.
const STEP: &str = "step";

/// A run that is to be started again.
#[derive(Debug, Clone, PartialEq)]
pub struct RerunRequest {
    /// The run.
    pub run: RunId,
    /// At the live revision instead of its own.
    pub newest: bool,
    /// The step to begin with: results of those that stand before it are taken over, and those
    /// without a result are executed again.
    pub from: Option<String>,
    /// All inputs; those of the run when not given.
    pub inputs: Option<Value>,
    /// Inputs that are set beside the others.
    pub changes: BTreeMap<String, Value>,
}

impl Shared {
    pub(crate) async fn rerun(&self, request: RerunRequest) -> Result<RunId, Error> {
        let view = self.ended_run(&request.run).await?;
        let flow =
            FlowRef { workspace: view.summary.workspace.clone(), flow: view.summary.flow.clone() };
        let (deployment, queue_bound) = self.place_of(&request, &view)?;
        let pinned = self.revisions.get(deployment).await?;
        let flows = &pinned.spec.flows;
        let spec = flows.get(&flow.flow).ok_or_else(|| {
            let near = near(flow.flow.as_str(), flows.keys().map(AsRef::as_ref));
            let message = format!("`{}` has no flow `{}`{near}", flow.workspace, flow.flow);
            Error::refused(Code::UnknownFlow, message)
        })?;
        let inputs = inputs(&request, &view, &flow, spec)?;
        let record = match &request.from {
            None => Chunk::default(),
            Some(from) => {
                let earlier = earlier(spec, from, &flow)?;
                kept(&earlier, &view, self.store.journal(&request.run).await?)
            }
        };
        let root = Some(Box::new(view.summary.trigger.root().clone()));
        let trigger = Trigger::Retry { of: request.run, root };
        let run = self.new_run(flow, deployment, trigger, &inputs)?;
        let accept = Accept { run, slot: None, idempotency: None, queue_bound };
        Ok(self.accept(accept, record).await?.run)
    }

    /// Notes that somebody has dealt with a failed run.
    pub(crate) async fn dismiss(&self, run: &RunId) -> Result<(), Error> {
        if self.store.dismiss(run, self.clock.now()).await? {
            return Ok(());
        }
        let view = self.store.run(run).await?;
        let message = match (view.summary.state, view.dealt_at) {
            (State::Failed, Some(at)) => format!("run {run} was dealt with at {at}"),
            (state, _) => format!("run {run} has not failed: it is {}", state.as_str()),
        };
        Err(Error::refused(Code::Conflict, message))
    }

    async fn ended_run(&self, run: &RunId) -> Result<RunView, Error> {
        let view = self.store.run(run).await?;
        if view.summary.state.is_terminal() {
            return Ok(view);
        }
        let message = format!("run {run} has not ended: it is {}", view.summary.state.as_str());
        Err(Error::refused(Code::Conflict, message))
    }

    /// The deployment to run at, and how many runs may wait in its workspace.
    fn place_of(
        &self,
        request: &RerunRequest,
        view: &RunView,
    ) -> Result<(DeploymentId, u32), Error> {
        let live = self.live.load();
        let workspace = &view.summary.workspace;
        let Some((_, info)) = live.find(workspace) else {
            let message = format!("workspace `{workspace}` is not live");
            return Err(Error::refused(Code::UnknownWorkspace, message));
        };
        let own = view.summary.deployment;
        let deployment = if request.newest { info.deployment } else { own };
        Ok((deployment, live.grants(workspace).limits.queue))
    }
}

/// The inputs of the new run. Those of the run itself, at its own revision, were checked.
fn inputs(
    request: &RerunRequest,
    view: &RunView,
    name: &FlowRef,
    flow: &Flow,
) -> Result<Value, Error> {
    let mut inputs = match &request.inputs {
        Some(inputs) => inputs.clone(),
        None => value::decode(&view.inputs)
            .map_err(|error| signalbox_store::Error::Corrupt(error.to_string()))?,
    };
    let same = request.inputs.is_none() && request.changes.is_empty() && !request.newest;
    if same {
        return Ok(inputs);
    }
    if let Value::Map(inputs) = &mut inputs {
        inputs.extend(request.changes.clone());
    }
    flow.inputs.apply(&inputs).map_err(|faults| unfit(name, faults))
}

/// The steps that stand before one.
fn earlier<'a>(flow: &'a Flow, from: &str, name: &FlowRef) -> Result<BTreeSet<&'a str>, Error> {
    let ids = || flow.plan.steps.iter().map(|step| step.id.as_str());
    if ids().any(|id| id == from) {
        return Ok(ids().take_while(|id| *id != from).collect());
    }
    let near = near(from, ids());
    Err(Error::refused(Code::NotFound, format!("`{name}` has no step `{from}`{near}")))
}

fn near<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    did_you_mean(name, known).map(|near| format!("; did you mean `{near}`?")).unwrap_or_default()
}

/// The results of some steps, as the record of a new run begins with them.
fn kept(steps: &BTreeSet<&str>, view: &RunView, journal: Vec<Entry>) -> Chunk {
    let is_kept = |entry: &Entry| {
        entry.kind == STEP
            && matches!(entry.outcome, Outcome::Done(_))
            && step_of(&entry.key.scope).is_some_and(|step| steps.contains(step))
    };
    let entries: Vec<_> = journal.into_iter().filter(is_kept).collect();
    let has = |id: &str| entries.iter().any(|entry| step_of(&entry.key.scope) == Some(id));
    let records = view.steps.iter().filter(|step| step.state == State::Succeeded && has(&step.id));
    Chunk { steps: records.cloned().collect(), entries, logs: Vec::new() }
}

/// The step of a flow whose own scope this is: `fetch` for `fetch#0`, also in a later try
/// (`fetch#0@2`).
fn step_of(scope: &str) -> Option<&str> {
    let (first, tried) = scope.split_once('@').unwrap_or((scope, ""));
    first.strip_suffix("#0").filter(|step| !step.contains('/') && !tried.contains('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_scope_of_a_step_of_the_flow_itself_is_one() {
        assert_eq!(step_of("fetch#0"), Some("fetch"));
        assert_eq!(step_of("fetch#0@3"), Some("fetch"));
        for other in ["", "fetch#1", "fetch#0/page#0", "fetch#0@2/[3]", "fetch#0/[1]@2"] {
            assert_eq!(step_of(other), None, "{other}");
        }
    }
}

//! `metrics::*`: the platform may ask for every workspace, a domain for itself.

use signalbox_core::catalog::Kind;
use signalbox_core::codes::Code;
use signalbox_core::ids::FlowRef;
use signalbox_core::journal::Failure;
use signalbox_core::{FlowName, Value, WorkspaceName};

use super::Context;
use crate::live::Live;

/// The metrics of a workspace, the run's own when none is named.
pub(super) async fn of_workspace(
    context: &Context,
    workspace: Option<&str>,
) -> Result<Value, Failure> {
    let name = match workspace {
        Some(name) => visible(context, &context.shared.live.load(), name)?,
        None => context.workspace().clone(),
    };
    read(context, &name, None).await
}

/// The metrics of a flow of the run's own workspace or, as `workspace/flow`, of another.
pub(super) async fn of_flow(context: &Context, flow: &str) -> Result<Value, Failure> {
    let FlowRef { workspace, flow } = find(context, &context.shared.live.load(), flow)?;
    read(context, &workspace, Some(&flow)).await
}

async fn read(
    context: &Context,
    workspace: &WorkspaceName,
    flow: Option<&FlowName>,
) -> Result<Value, Failure> {
    let health = context.shared.health(workspace, flow).await;
    let failed =
        |error: crate::options::Error| Failure::transient(Code::StoreFailed, error.to_string());
    Ok(health.map_err(failed)?.to_value())
}

fn find(context: &Context, live: &Live, name: &str) -> Result<FlowRef, Failure> {
    let has = |workspace: &WorkspaceName, flow: &FlowName| {
        live.find(workspace).is_some_and(|(spec, _)| spec.flows.contains_key(flow))
    };
    if let Ok(flow) = name.parse::<FlowName>()
        && has(context.workspace(), &flow)
    {
        return Ok(FlowRef { workspace: context.workspace().clone(), flow });
    }
    let unknown = || Failure::permanent(Code::UnknownFlow, format!("there is no flow `{name}`"));
    let asked: FlowRef = name.parse().map_err(|_| unknown())?;
    let Ok(workspace) = visible(context, live, asked.workspace.as_str()) else {
        return Err(unknown());
    };
    if has(&workspace, &asked.flow) { Ok(asked) } else { Err(unknown()) }
}

/// A workspace that the run's may ask for. Others do not exist for it.
fn visible(context: &Context, live: &Live, name: &str) -> Result<WorkspaceName, Failure> {
    let own = context.workspace();
    let any = live.find(own).is_some_and(|(spec, _)| spec.kind == Kind::Platform);
    let found = name.parse::<WorkspaceName>().ok();
    found.filter(|name| name == own || (any && live.find(name).is_some())).ok_or_else(|| {
        Failure::permanent(Code::UnknownWorkspace, format!("there is no workspace `{name}`"))
    })
}

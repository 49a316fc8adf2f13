//! Pausing schedules, and letting them go on.

use std::collections::BTreeMap;

use signalbox_core::WorkspaceName;
use signalbox_core::codes::Code;
use signalbox_core::diagnostic::did_you_mean;
use signalbox_core::ids::FlowRef;
use signalbox_core::schedule::Schedule;
use signalbox_store::contract::{Pausable, ScheduleKey};

use crate::deployer::swap;
use crate::events::EventKind;
use crate::live::Live;
use crate::options::Error;
use crate::shared::Shared;

/// What somebody wants to pause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Which {
    /// Every schedule of a workspace.
    Workspace(WorkspaceName),
    /// One schedule of a flow, by its name or id; not given when the flow has only one.
    Schedule(FlowRef, Option<String>),
}

/// Pauses. Answers `false` when it was paused already.
pub(crate) async fn pause(shared: &Shared, which: Which) -> Result<bool, Error> {
    set(shared, which, true).await
}

/// Lets it go on; slots of the pause are not owed. Answers `false` when it was not paused.
pub(crate) async fn resume(shared: &Shared, which: Which) -> Result<bool, Error> {
    set(shared, which, false).await
}

async fn set(shared: &Shared, which: Which, paused: bool) -> Result<bool, Error> {
    let at = shared.clock.now();
    let live = shared.live.load_full();
    match which {
        Which::Schedule(flow, schedule) => {
            let key = find(&live, &flow, schedule.as_deref())?;
            let changed = store(shared, Pausable::Schedule(key.clone()), paused).await?;
            shared.timer().set_paused(&key, paused, at);
            shared.swapped.notify_one();
            let ScheduleKey { workspace, flow, schedule } = key;
            if changed {
                let kind = EventKind::Pause { schedule: Some((flow, schedule)), paused };
                shared.events.publish(at, workspace, kind);
            }
            Ok(changed)
        }
        Which::Workspace(name) => {
            let _memory = shared.desk.memory.lock().await;
            let mut live = Live::clone(&shared.live.load());
            let Some(info) = live.info.get_mut(&name) else {
                let message = format!("workspace `{name}` is not live");
                return Err(Error::refused(Code::UnknownWorkspace, message));
            };
            let changed = store(shared, Pausable::Workspace(name.clone()), paused).await?;
            info.paused_at = paused.then(|| info.paused_at.unwrap_or(at));
            swap(shared, live, &BTreeMap::new());
            if changed {
                shared.events.publish(at, name, EventKind::Pause { schedule: None, paused });
            }
            Ok(changed)
        }
    }
}

async fn store(shared: &Shared, what: Pausable, paused: bool) -> Result<bool, Error> {
    let at = shared.clock.now();
    Ok(if paused {
        shared.store.pause(what, at).await?
    } else {
        shared.store.resume(what, at).await?
    })
}

/// The schedule that is meant.
fn find(live: &Live, flow: &FlowRef, schedule: Option<&str>) -> Result<ScheduleKey, Error> {
    let Some((spec, _)) = live.find(&flow.workspace) else {
        let message = format!("workspace `{}` is not live", flow.workspace);
        return Err(Error::refused(Code::UnknownWorkspace, message));
    };
    let Some(found) = spec.flows.get(&flow.flow) else {
        let near = did_you_mean(flow.flow.as_str(), spec.flows.keys().map(AsRef::as_ref));
        let hint = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
        let message = format!("`{}` has no flow `{}`{hint}", flow.workspace, flow.flow);
        return Err(Error::refused(Code::UnknownFlow, message));
    };
    let ids: Vec<_> = found.schedules.iter().map(Schedule::id).collect();
    let key = |id: &String| ScheduleKey {
        workspace: flow.workspace.clone(),
        flow: flow.flow.clone(),
        schedule: id.clone(),
    };
    match (schedule, ids.as_slice()) {
        (None, [only]) => Ok(key(only)),
        (None, []) => Err(Error::refused(Code::NotFound, format!("`{flow}` has no schedule"))),
        (None, _) => {
            let message = format!("`{flow}` has several schedules, name one: {}", ids.join(", "));
            Err(Error::refused(Code::BadRequest, message))
        }
        (Some(wanted), _) => ids.iter().find(|id| *id == wanted).map(key).ok_or_else(|| {
            let near = did_you_mean(wanted, ids.iter().map(String::as_str));
            let hint = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
            let message = format!("`{flow}` has no schedule `{wanted}`{hint}");
            Error::refused(Code::NotFound, message)
        }),
    }
}

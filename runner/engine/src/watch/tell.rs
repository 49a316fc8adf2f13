//! The runs that tell of an alarm.

use signalbox_core::alarm::{Raised, Subject};
use signalbox_core::clock::Timestamp;
use signalbox_core::handler::Handler;
use signalbox_core::ids::FlowRef;
use signalbox_core::inputs::{Schema, list};
use signalbox_core::run::{NewRun, Trigger};
use signalbox_core::turn::Turn;
use signalbox_core::{FlowName, RunId, Value, WorkspaceName, broker, value};
use signalbox_store::contract::Handling;

use crate::broker::Asked;
use crate::live::Live;
use crate::shared::Shared;

/// What stands for the flow in the record of a call that the health of a workspace made.
const HEALTH: &str = "health";

impl Shared {
    /// Who is told of an alarm that is raised now.
    pub(super) fn told_of(&self, subject: &Subject) -> Vec<Handler> {
        let live = self.live.load();
        let Some((spec, _)) = live.find(&subject.workspace) else { return Vec::new() };
        let told = match &subject.flow {
            None => spec.health.as_ref().map(|health| &health.notify),
            Some(flow) => spec
                .flows
                .get(flow)
                .and_then(|flow| flow.absence.as_ref())
                .map(|absence| &absence.notify),
        };
        told.cloned().unwrap_or_default()
    }

    /// What tells of an alarm, or with `recovered` of its end. A handler that is no longer there,
    /// or does not take what it would be told, is left out with a line in the log.
    pub(super) fn tell(
        &self,
        alarm: &Raised,
        recovered: Option<Timestamp>,
        at: Timestamp,
    ) -> Vec<Handling> {
        let live = self.live.load();
        let one = |handler: &Handler| {
            let handling = match handler {
                Handler::All(_) => Err("a list in a list".to_owned()),
                Handler::Flow(name) => self.flow_that_tells(&live, alarm, recovered, name),
                Handler::Service(target) => {
                    self.service_that_tells(&live, alarm, (recovered, at), target)
                }
            };
            handling
                .map_err(|why| {
                    tracing::error!(subject = %alarm.subject, ?handler, why, "nobody tells of an alarm");
                })
                .ok()
        };
        alarm.told.iter().flat_map(Handler::each).filter_map(one).collect()
    }

    fn flow_that_tells(
        &self,
        live: &Live,
        alarm: &Raised,
        recovered: Option<Timestamp>,
        name: &FlowName,
    ) -> Result<Handling, String> {
        let workspace = alarm.subject.workspace.clone();
        let (spec, info) = live.find(&workspace).ok_or("its workspace is not live")?;
        let flow = spec.flows.get(name).ok_or("there is no such flow any more")?;
        let inputs = flow.inputs.apply(&alarm.inputs(recovered, &flow.inputs));
        let inputs = inputs.map_err(|faults| list(&faults))?;
        let trigger = trigger(alarm, recovered, None);
        let flow = FlowRef { workspace, flow: name.clone() };
        let run = self.new_run(flow, info.deployment, trigger, &inputs);
        run.map(|run| Handling::Run(Box::new(run))).map_err(|error| error.to_string())
    }

    /// A call of a service, decided and recorded as every call is.
    fn service_that_tells(
        &self,
        live: &Live,
        alarm: &Raised,
        (recovered, at): (Option<Timestamp>, Timestamp),
        target: &str,
    ) -> Result<Handling, String> {
        let who = self.caller(live, alarm, at)?;
        let permit = target
            .parse()
            .ok()
            .and_then(|named| broker::decide(&live.catalog, &who.workspace, &named).ok());
        let callee = permit.map(|permit| permit.callee);
        let flow = callee.as_ref().and_then(|to| live.catalog.find_flow(&to.workspace, &to.flow));
        let none = Schema::default();
        let facts = alarm.inputs(recovered, flow.map_or(&none, |flow| &flow.inputs));
        let inputs = value::encode(&facts);
        let asked = Asked { target: target.to_owned(), inputs: &inputs, wait: false, counts: true };
        let id = self.new_id(at).map_err(|error| error.to_string())?;
        match self.broker.decide(live, (id, at), &who, asked) {
            Ok(mut call) => {
                let service = call.record.service.as_ref().map(|(name, _)| name.clone());
                call.run.trigger = trigger(alarm, recovered, service);
                call.record.caller_run = None;
                Ok(Handling::Call(Box::new(call)))
            }
            Err(denied) => {
                let (mut record, failure) = *denied;
                let (subject, reason) = (&alarm.subject, failure.message);
                tracing::warn!(%subject, target, reason, "a call that tells of an alarm is refused");
                record.caller_run = None;
                Ok(Handling::Refused(Box::new(record)))
            }
        }
    }

    /// Who calls, as the broker sees it: the flow that is absent, or the workspace, in no run.
    fn caller(&self, live: &Live, alarm: &Raised, at: Timestamp) -> Result<NewRun, String> {
        let Subject { workspace, flow } = alarm.subject.clone();
        let (_, info) = live.find(&workspace).ok_or("its workspace is not live")?;
        let flow = match flow {
            Some(flow) => flow,
            None => HEALTH
                .parse()
                .map_err(|error: signalbox_core::ids::InvalidName| error.to_string())?,
        };
        Ok(NewRun {
            id: self.new_id(at).map_err(|error| error.to_string())?,
            workspace,
            flow,
            deployment: info.deployment,
            trigger: trigger(alarm, None, None),
            inputs: value::encode(&Value::Null),
            chain: Vec::new(),
            queued_at: at,
            deadline: None,
            turn: Turn::default(),
        })
    }
}

fn trigger(alarm: &Raised, recovered: Option<Timestamp>, service: Option<String>) -> Trigger {
    Trigger::Alarm { subject: alarm.subject.clone(), recovered: recovered.is_some(), service }
}

/// The runs that are sure to start.
pub(super) fn runs_of(started: &[Handling]) -> Vec<(RunId, WorkspaceName, FlowName)> {
    let of = |handling: &Handling| match handling {
        Handling::Run(run) => Some((run.id.clone(), run.workspace.clone(), run.flow.clone())),
        Handling::Call(_) | Handling::Refused(_) => None,
    };
    started.iter().filter_map(of).collect()
}

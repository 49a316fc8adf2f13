//! What the end of a run starts: its handlers, in the transaction that ends it.
//!
//! A run that handles never starts a handler, nor does one that repeats or continues it. A handler
//! that is in the chain of what led to the ended run is not started either, so that handlers never
//! lead back to themselves.
//!
//! Handlers are those of the run's own revision. When that is lost, they are those of the revision
//! that is live: somebody must hear of it.

use std::sync::Arc;

use signalbox_core::catalog::{Kind, Workspace};
use signalbox_core::clock::Timestamp;
use signalbox_core::handler::{Event, Facts, Handler};
use signalbox_core::ids::FlowRef;
use signalbox_core::inputs::Schema;
use signalbox_core::journal::Failure;
use signalbox_core::run::{Ending, NewRun, Reason, RunError, State, Trigger};
use signalbox_core::{DeploymentId, FlowName, Value, WorkspaceName, broker, value};
use signalbox_store::contract::{Aftermath, CallRecord, Handling, Recovery};

use crate::broker::Asked;
use crate::options::Error;
use crate::revisions::Pinned;
use crate::shared::Shared;

/// A run that ends now.
pub(crate) struct Ended<'a> {
    pub(crate) run: &'a NewRun,
    pub(crate) attempt: u32,
    pub(crate) pinned: &'a Pinned,
    pub(crate) ending: &'a Ending,
    /// `None`: it never began.
    pub(crate) started_at: Option<Timestamp>,
    pub(crate) at: Timestamp,
}

/// A flow at a deployment that is to handle something.
struct Place<'a> {
    spec: &'a Workspace,
    deployment: DeploymentId,
    flow: &'a FlowName,
}

impl Shared {
    /// Where the handlers of a run are: its own revision, or the live one when that is lost.
    ///
    /// # Errors
    /// One that may be gone soon.
    pub(crate) async fn whose_handlers(&self, run: &NewRun) -> Result<Option<Arc<Pinned>>, Error> {
        match self.revisions.get(run.deployment).await {
            Ok(pinned) => Ok(Some(pinned)),
            Err(error) if error.is_permanent() => Ok(self.live_revision(&run.workspace)),
            Err(error) => Err(error),
        }
    }

    /// The live revision of a workspace.
    pub(crate) fn live_revision(&self, workspace: &WorkspaceName) -> Option<Arc<Pinned>> {
        let live = self.live.load();
        let (spec, info) = live.find(workspace)?;
        Some(self.revisions.insert(info.deployment, Arc::clone(spec)))
    }

    /// What the end of a run starts, if anything. Costs nothing for a flow without handlers.
    pub(crate) fn aftermath(&self, ended: &Ended<'_>) -> Option<Box<Aftermath>> {
        let handled = self.handled(ended);
        if !self.is_expected(ended) {
            return handled;
        }
        let aftermath = handled.map(|aftermath| *aftermath).unwrap_or_default();
        Some(Box::new(Aftermath { expected: true, ..aftermath }))
    }

    /// Whether it is a success that the flow's `absence` waits for: of now, not of the revision that
    /// the run is pinned to.
    fn is_expected(&self, ended: &Ended<'_>) -> bool {
        let run = ended.run;
        let live = self.live.load();
        let flow = || live.catalog.find_flow(&run.workspace, &run.flow);
        ended.ending.state() == State::Succeeded
            && flow().is_some_and(|flow| flow.absence.is_some())
    }

    fn handled(&self, ended: &Ended<'_>) -> Option<Box<Aftermath>> {
        let run = ended.run;
        if run.trigger.handles() {
            return None;
        }
        let flow = ended.pinned.spec.flows.get(&run.flow)?;
        let (handlers, schedule) = flow.handlers_of(&run.trigger);
        let mut aftermath = Aftermath::default();
        let of = |event, handler: &Option<Handler>| -> Vec<Handling> {
            let all = handler.iter().flat_map(Handler::each);
            all.filter_map(|handler| self.handling(ended, event, handler)).collect()
        };
        match ended.ending.state() {
            State::Succeeded => {
                aftermath.started.extend(of(Event::Success, &handlers.success));
                let started = of(Event::Recovery, &handlers.recovery);
                aftermath.recovery =
                    (!started.is_empty()).then_some(Recovery::Over { schedule, started });
            }
            State::Failed => {
                aftermath.started.extend(of(Event::Failure, &handlers.failure));
                aftermath.started.extend(self.failed_call(ended));
                aftermath.recovery = handlers.recovery.map(|_| Recovery::Awaited { schedule });
            }
            State::Cancelled
            | State::Skipped
            | State::Queued
            | State::Running
            | State::Suspended => {}
        }
        let some = !aftermath.started.is_empty() || aftermath.recovery.is_some();
        some.then(|| Box::new(aftermath))
    }

    fn handling(&self, ended: &Ended<'_>, event: Event, handler: &Handler) -> Option<Handling> {
        let run = ended.run;
        let flow = FlowRef { workspace: run.workspace.clone(), flow: run.flow.clone() };
        let error = match ended.ending {
            Ending::Failed(_, error) => Some(error),
            Ending::Succeeded(_) | Ending::Cancelled | Ending::Skipped(_) => None,
        };
        let facts = Facts {
            event,
            flow: &flow,
            run: &run.id,
            state: ended.ending.state().as_str(),
            reason: ended.ending.reason().map(Reason::as_str),
            error,
            attempt: ended.attempt,
            trigger: run.trigger.kind(),
            started_at: ended.started_at,
            ended_at: ended.at,
            service: None,
            caller: None,
        };
        match handler {
            Handler::Flow(name) => {
                let Pinned { spec, deployment, .. } = ended.pinned;
                let place = Place { spec, deployment: *deployment, flow: name };
                self.own(&place, run, &facts, ended.at).map(|run| Handling::Run(Box::new(run)))
            }
            Handler::Service(target) => self.service(target, run, &facts, ended.at),
            Handler::All(_) => None,
        }
    }

    /// The platform's handlers of a call that a domain made and whose run failed.
    fn failed_call(&self, ended: &Ended<'_>) -> Vec<Handling> {
        let run = ended.run;
        // Whoever called a run waits for its successors, too; not for whoever repeats it.
        let called = match &run.trigger {
            Trigger::Continue { root: Some(root), .. } => root,
            trigger => trigger,
        };
        let Trigger::Call { caller, run: caller_run, service: Some(service) } = called else {
            return Vec::new();
        };
        let Pinned { spec, deployment, .. } = ended.pinned;
        let Ending::Failed(reason, error) = ended.ending else { return Vec::new() };
        let flow = FlowRef { workspace: run.workspace.clone(), flow: run.flow.clone() };
        let facts = Facts {
            event: Event::CallFailure,
            flow: &flow,
            run: &run.id,
            state: State::Failed.as_str(),
            reason: Some(reason.as_str()),
            error: Some(error),
            attempt: ended.attempt,
            trigger: run.trigger.kind(),
            started_at: ended.started_at,
            ended_at: ended.at,
            service: Some(service),
            caller: Some((caller, caller_run)),
        };
        let one = |flow| {
            let place = Place { spec, deployment: *deployment, flow };
            self.own(&place, run, &facts, ended.at).map(|run| Handling::Run(Box::new(run)))
        };
        spec.on_call_failure.iter().filter_map(one).collect()
    }

    /// The platform's handlers of a call that a domain made and the broker refused.
    pub(crate) fn refused_call(
        &self,
        caller: &NewRun,
        record: &CallRecord,
        failure: &Failure,
    ) -> Vec<NewRun> {
        let live = self.live.load();
        let is_domain =
            live.find(&caller.workspace).is_some_and(|(spec, _)| spec.kind == Kind::Domain);
        let platform = live.catalog.platform().and_then(|platform| live.find(&platform.name));
        let Some((spec, info)) = platform.filter(|_| is_domain && !caller.trigger.handles()) else {
            return Vec::new();
        };
        let error = RunError::plain(failure.code, failure.message.clone());
        let facts = Facts {
            event: Event::CallFailure,
            flow: &record.caller,
            run: &caller.id,
            state: "refused",
            reason: Some(record.rule.as_str()),
            error: Some(&error),
            attempt: 1,
            trigger: caller.trigger.kind(),
            started_at: None,
            ended_at: record.at,
            service: Some(&record.target),
            caller: Some((&record.caller, &caller.id)),
        };
        let one = |flow| {
            let place = Place { spec, deployment: info.deployment, flow };
            self.own(&place, caller, &facts, record.at)
        };
        spec.on_call_failure.iter().filter_map(one).collect()
    }

    /// A run of a workspace's own handler.
    fn own(
        &self,
        place: &Place<'_>,
        of: &NewRun,
        facts: &Facts<'_>,
        at: Timestamp,
    ) -> Option<NewRun> {
        let handler = FlowRef { workspace: place.spec.name.clone(), flow: place.flow.clone() };
        let ended = FlowRef { workspace: of.workspace.clone(), flow: of.flow.clone() };
        let mut chain = of.chain.clone();
        chain.push(ended.clone());
        if chain.contains(&handler) {
            tracing::warn!(run = %of.id, %handler, "a handler that led to a run does not handle it");
            return None;
        }
        let flow = place.spec.flows.get(place.flow)?;
        let inputs = told(facts, &flow.inputs, &handler)?;
        let turn = value::decode(&inputs).map(|inputs| flow.turns.turn(&inputs));
        let trigger =
            Trigger::Handler { event: facts.event, flow: ended, of: of.id.clone(), service: None };
        Some(NewRun {
            id: self
                .new_id(at)
                .map_err(|error| tracing::error!(%error, "cannot start a handler"))
                .ok()?,
            workspace: handler.workspace,
            flow: handler.flow,
            deployment: place.deployment,
            trigger,
            inputs,
            chain,
            queued_at: at,
            deadline: flow.deadline.map(|deadline| at.plus(deadline)),
            turn: turn.unwrap_or_default(),
        })
    }

    /// A call of a service that handles, decided and recorded as every call is.
    fn service(
        &self,
        target: &str,
        of: &NewRun,
        facts: &Facts<'_>,
        at: Timestamp,
    ) -> Option<Handling> {
        let live = self.live.load();
        let permit = target
            .parse()
            .ok()
            .and_then(|named| broker::decide(&live.catalog, &of.workspace, &named).ok());
        let callee = permit.map(|permit| permit.callee);
        let flow = callee.as_ref().and_then(|to| live.catalog.find_flow(&to.workspace, &to.flow));
        let none = Schema::default();
        let inputs = value::encode(&facts.inputs(flow.map_or(&none, |flow| &flow.inputs)));
        // Whether it is a recovery, only the store knows: no success takes a place in the rate.
        let counts = facts.event != Event::Recovery;
        let asked = Asked { target: target.to_owned(), inputs: &inputs, wait: false, counts };
        let id = self
            .new_id(at)
            .map_err(|error| tracing::error!(%error, "cannot start a handler"))
            .ok()?;
        match self.broker.decide(&live, (id, at), of, asked) {
            Ok(mut call) => {
                call.run.trigger = Trigger::Handler {
                    event: facts.event,
                    flow: facts.flow.clone(),
                    of: of.id.clone(),
                    service: call.record.service.as_ref().map(|(name, _)| name.clone()),
                };
                Some(Handling::Call(Box::new(call)))
            }
            Err(denied) => {
                let (record, failure) = *denied;
                if counts {
                    let reason = failure.message;
                    tracing::warn!(run = %of.id, target, reason, "a handler is refused");
                }
                Some(Handling::Refused(Box::new(record)))
            }
        }
    }
}

/// The checked inputs of a handler, in canonical bytes.
fn told(facts: &Facts<'_>, schema: &Schema, handler: &FlowRef) -> Option<Vec<u8>> {
    let given: Value = facts.inputs(schema);
    match schema.apply(&given) {
        Ok(inputs) => Some(value::encode(&inputs)),
        Err(faults) => {
            let why: Vec<_> =
                faults.iter().map(|fault| format!("{} {}", fault.input, fault.message)).collect();
            tracing::error!(%handler, why = why.join("; "), "a handler does not take its facts");
            None
        }
    }
}

//! What a run has to do with other runs, and with time: calls, sub-flows, sleep, its successor, its
//! next attempt.

use std::sync::Arc;
use std::time::Duration;

use signalbox_core::broker::check_chain;
use signalbox_core::clock::Timestamp;
use signalbox_core::codes::Code;
use signalbox_core::diagnostic::did_you_mean;
use signalbox_core::ids::FlowRef;
use signalbox_core::inputs::list;
use signalbox_core::journal::{Chunk, Failure, Outcome};
use signalbox_core::run::{Ending, NewRun, Reason, RunError, State, Trigger};
use signalbox_core::{FlowName, Value, value};
use signalbox_store::contract::{InternalEffect, NewFlow, Write};

use super::active::{Active, HOLD};
use super::driver::Driver;
use crate::border::{MAX_VALUE, check_value};
use crate::broker::Asked;
use crate::deadline::deadline_of;
use crate::link::Ticket;
use crate::recorder::{Job, Then};
use crate::shared::Shared;

/// Longest sleep: a year (DESIGN §6.2), a leap one.
const MAX_SLEEP: Duration = Duration::from_hours(366 * 24);

impl Driver {
    /// A call of another workspace.
    pub(super) async fn call(
        &mut self,
        ticket: Ticket,
        target: String,
        inputs: Vec<u8>,
        wait: bool,
    ) {
        let Some(active) = self.runs.get(&ticket.run) else { return };
        let caller = &active.assignment.claim.run;
        let now = self.shared.clock.now();
        let id = match self.shared.new_id(now) {
            Ok(id) => id,
            Err(error) => {
                let failure = Failure::transient(Code::Internal, error.to_string());
                return self.outcome(ticket, Outcome::Failed(failure), false).await;
            }
        };
        let asked = Asked { target, inputs: &inputs, wait, counts: true };
        let live = self.shared.live.load_full();
        match self.shared.broker.decide(&live, (id, now), caller, asked) {
            Ok(call) => self.internal(ticket, InternalEffect::Call(Box::new(call))).await,
            Err(denied) => {
                let (record, failure) = *denied;
                let handlers = self.shared.refused_call(caller, &record, &failure);
                let refused = InternalEffect::Refused(Box::new(record), failure, handlers);
                self.internal(ticket, refused).await;
            }
        }
    }

    /// A run of a flow of the same workspace, at the run's own deployment.
    pub(super) async fn start_flow(
        &mut self,
        ticket: Ticket,
        flow: &str,
        inputs: &[u8],
        wait: bool,
    ) {
        let Some(active) = self.runs.get(&ticket.run) else { return };
        let workspace = &active.of.workspace;
        let queue_bound = self.shared.live.load().grants(workspace).limits.queue;
        match sub_flow(&self.shared, active, flow, inputs, self.shared.clock.now()) {
            Ok(run) => {
                let flow = NewFlow { run, queue_bound, wait };
                self.internal(ticket, InternalEffect::Flow(Box::new(flow))).await;
            }
            Err(failure) => self.outcome(ticket, Outcome::Failed(failure), false).await,
        }
    }

    /// Sleeps for so long, counted from now: it is asked for the first time.
    pub(super) async fn sleep(&mut self, ticket: Ticket, micros: i64) {
        let length = Duration::from_micros(u64::try_from(micros).unwrap_or(0));
        self.sleep_until(ticket, self.shared.clock.now().plus(length)).await;
    }

    /// Sleeps until a moment. What has come already is not waited for.
    pub(super) async fn sleep_until(&mut self, ticket: Ticket, until: Timestamp) {
        let now = self.shared.clock.now();
        if until > now.plus(MAX_SLEEP) {
            let message = format!("a run sleeps for a year at most, not until {until}");
            let failure = Failure::permanent(Code::LimitExceeded, message);
            self.outcome(ticket, Outcome::Failed(failure), false).await;
        } else if until <= now {
            self.outcome(ticket, Outcome::Done(value::encode(&Value::Null)), false).await;
        } else {
            let pending = self.runs.get_mut(&ticket.run).and_then(|run| run.pending(ticket));
            if let Some(pending) = pending {
                pending.long = until > now.plus(HOLD);
            }
            self.internal(ticket, InternalEffect::Sleep { until }).await;
        }
    }

    /// Ends a run with a successor that takes over.
    pub(super) async fn continue_as(&mut self, number: u32, chunk: Chunk, inputs: &[u8]) {
        let now = self.shared.clock.now();
        let Some(active) = self.runs.get(&number) else { return };
        let successor = match successor(&self.shared, active, inputs, now) {
            Ok(successor) => Box::new(successor),
            Err(failure) => {
                let error = RunError::plain(failure.code, failure.message);
                return self.end(number, chunk, Ending::Failed(Reason::ScriptError, error)).await;
            }
        };
        let Some(mut active) = self.forget(number) else { return };
        active.buffer(chunk);
        let (chunk_number, chunk) = active.take(true).unwrap_or_default();
        let by = successor.id.clone();
        let write = Write::Continue {
            run: active.id().clone(),
            epoch: active.epoch(),
            number: chunk_number,
            started_at: active.started_at(now),
            chunk,
            ended_at: now,
            isolation: self.isolation.unwrap_or(0),
            successor,
        };
        let of = Arc::clone(&active.of);
        self.record(Job { of, write, then: Then::Continued(by) }).await;
    }

    /// A run failed: it is tried again if its flow says so and trying again can help.
    pub(super) async fn failed(
        &mut self,
        number: u32,
        chunk: Chunk,
        (reason, error): (Reason, RunError),
        failure: &Failure,
    ) {
        let now = self.shared.clock.now();
        let pause = self
            .runs
            .get(&number)
            .and_then(|active| pause(active, failure, now, self.shared.chance()));
        let (Some(pause), Some(mut active)) = (pause, pause.and_then(|_| self.forget(number)))
        else {
            return self.end(number, chunk, Ending::Failed(reason, error)).await;
        };
        active.buffer(chunk);
        let (chunk_number, chunk) = active.take(true).unwrap_or_default();
        let write = Write::Retry {
            run: active.id().clone(),
            epoch: active.epoch(),
            number: chunk_number,
            started_at: active.started_at(now),
            chunk,
            until: now.plus(pause),
            error,
            active_us: active.active_us(),
        };
        let of = Arc::clone(&active.of);
        self.record(Job { of, write, then: Then::State(State::Suspended) }).await;
    }
}

/// The pause before the next attempt of a run. `None` when there is none.
fn pause(active: &Active, failure: &Failure, now: Timestamp, chance: f64) -> Option<Duration> {
    let claim = &active.assignment.claim;
    let flow = active.assignment.pinned.spec.flows.get(&claim.run.flow)?;
    let spent = now.since(active.started_at(now));
    let pause = flow.retry.as_ref()?.pause(claim.attempt, failure, spent, chance)?;
    // What would begin after the deadline does not begin.
    claim.run.deadline.is_none_or(|deadline| now.plus(pause) < deadline).then_some(pause)
}

/// A run of another flow at the deployment of this one.
fn sub_flow(
    shared: &Shared,
    active: &Active,
    flow: &str,
    inputs: &[u8],
    now: Timestamp,
) -> Result<NewRun, Failure> {
    let caller = &active.assignment.claim.run;
    let flows = &active.assignment.pinned.spec.flows;
    let name: FlowName = flow
        .parse()
        .map_err(|error| Failure::permanent(Code::UnknownFlow, format!("`{flow}`: {error}")))?;
    if !flows.contains_key(&name) {
        let near = did_you_mean(flow, flows.keys().map(AsRef::as_ref));
        let hint = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
        let message = format!("`{}` has no flow `{flow}` at this revision{hint}", caller.workspace);
        return Err(Failure::permanent(Code::UnknownFlow, message));
    }
    let own = FlowRef { workspace: caller.workspace.clone(), flow: caller.flow.clone() };
    let callee = FlowRef { workspace: caller.workspace.clone(), flow: name.clone() };
    let mut chain = caller.chain.clone();
    chain.push(own.clone());
    check_chain(&chain, &callee).map_err(|refusal| {
        let code = refusal.rule.code().unwrap_or(Code::Denied);
        Failure::permanent(code, format!("flow `{name}` refused: {}", refusal.message))
    })?;
    let trigger = Trigger::Flow { caller: own, run: caller.id.clone() };
    new_run(shared, active, name, (trigger, chain), inputs, now)
}

/// The run that takes over from this one.
fn successor(
    shared: &Shared,
    active: &Active,
    inputs: &[u8],
    now: Timestamp,
) -> Result<NewRun, Failure> {
    let run = &active.assignment.claim.run;
    let root = Some(Box::new(run.trigger.root().clone()));
    let trigger = Trigger::Continue { of: run.id.clone(), root };
    new_run(shared, active, run.flow.clone(), (trigger, run.chain.clone()), inputs, now)
}

fn new_run(
    shared: &Shared,
    active: &Active,
    name: FlowName,
    (trigger, chain): (Trigger, Vec<FlowRef>),
    inputs: &[u8],
    now: Timestamp,
) -> Result<NewRun, Failure> {
    let pinned = &active.assignment.pinned;
    let flow = pinned.spec.flows.get(&name);
    let given = value::decode(inputs)
        .map_err(|error| Failure::permanent(Code::BadValue, error.to_string()))?;
    let complete = flow.map_or(Ok(given.clone()), |flow| flow.inputs.apply(&given));
    let complete = complete.map_err(|faults| {
        let message = format!("`{name}` does not take these inputs: {}", list(&faults));
        Failure::permanent(Code::InvalidInputs, message)
    })?;
    let turn = flow.map(|flow| flow.turns.turn(&complete)).unwrap_or_default();
    let inputs = value::encode(&complete);
    check_value(&inputs, MAX_VALUE, "the inputs of a run")?;
    let id = shared
        .new_id(now)
        .map_err(|error| Failure::transient(Code::Internal, error.to_string()))?;
    Ok(NewRun {
        id,
        workspace: pinned.spec.name.clone(),
        deadline: deadline_of(&pinned.spec, &name, now),
        flow: name,
        deployment: pinned.deployment,
        trigger,
        inputs,
        chain,
        queued_at: now,
        turn,
    })
}

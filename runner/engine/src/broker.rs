//! The broker at run time: every call is decided here, by the declarations that are live now.

use signalbox_core::broker::{Permit, Refusal, Rule, Target, check_chain, decide};
use signalbox_core::clock::Timestamp;
use signalbox_core::codes::Code;
use signalbox_core::ids::{FlowRef, ServiceName};
use signalbox_core::inputs::list;
use signalbox_core::journal::{Failure, cut};
use signalbox_core::run::{NewRun, Trigger};
use signalbox_core::turn::Turn;
use signalbox_core::{Digest, RunId, value};
use signalbox_store::contract::{CallDecision, CallRecord, NewCall};

use crate::border::{MAX_VALUE, check_value};
use crate::deadline::deadline_of;
use crate::live::Live;
use crate::rates::Rates;

/// Most bytes of a target in a record.
const MAX_TARGET: usize = 300;

/// The broker's own memory: how often services were called lately.
#[derive(Debug, Default)]
pub(crate) struct Broker {
    lately: Rates<ServiceName>,
}

/// A refused call, as recorded, and what its caller gets.
type Denied = Box<(CallRecord, Failure)>;

/// What a run asks of the broker.
pub(crate) struct Asked<'a> {
    /// What it named.
    pub(crate) target: String,
    /// The inputs, in canonical bytes.
    pub(crate) inputs: &'a [u8],
    /// Whether it waits for the result.
    pub(crate) wait: bool,
    /// Whether it takes a place in the service's rate.
    pub(crate) counts: bool,
}

impl Broker {
    /// Decides a call; if it is allowed, the called run has the given id. The caller is whoever has the run, never what a field says.
    pub(crate) fn decide(
        &self,
        live: &Live,
        (id, now): (RunId, Timestamp),
        caller: &NewRun,
        asked: Asked<'_>,
    ) -> Result<NewCall, Denied> {
        let Asked { target, inputs, wait, counts } = asked;
        let record = CallRecord {
            at: now,
            decision: CallDecision::Refused,
            rule: Rule::InvalidTarget,
            caller: FlowRef { workspace: caller.workspace.clone(), flow: caller.flow.clone() },
            caller_run: Some(caller.id.clone()),
            target: cut(target.clone(), MAX_TARGET),
            callee: None,
            service: None,
            inputs: Digest::of(inputs),
        };
        let call = Call { live, caller, target, inputs };
        let (permit, inputs) =
            call.check(&record).map_err(|refusal| deny(record.clone(), &refusal))?;
        let record = describe(record, &permit);
        if let Some((service, export)) = permit.export
            && let Some(limit) = export.rate_limit.filter(|_| counts)
            && !self.lately.take(service, limit)
        {
            let message = format!(
                "`{service}` takes {} calls in {} s, over all callers",
                limit.count,
                limit.per.as_secs()
            );
            return Err(deny(record, &Refusal { rule: Rule::RateLimit, message }));
        }
        let until = permit.export.and_then(|(_, export)| export.timeout);
        let until = until.filter(|_| wait).map(|timeout| now.plus(timeout));
        let call = call.accepted(id, permit, record.clone(), inputs, wait);
        let call = call.map(|call| NewCall { until, ..call });
        call.map_err(|failure| Box::new((record, failure)))
    }
}

/// A call that is being decided.
struct Call<'a> {
    live: &'a Live,
    caller: &'a NewRun,
    target: String,
    inputs: &'a [u8],
}

impl<'a> Call<'a> {
    fn check(&self, record: &CallRecord) -> Result<(Permit<'a>, (Vec<u8>, Turn)), Refusal> {
        let target: Target = self
            .target
            .parse()
            .map_err(|error| refusal(Rule::InvalidTarget, format!("{error}")))?;
        let catalog = &self.live.catalog;
        let permit = decide(catalog, &self.caller.workspace, &target)?;
        let mut chain = self.caller.chain.clone();
        chain.push(record.caller.clone());
        check_chain(&chain, &permit.callee)?;
        let unfit = |message: String| refusal(Rule::InputsDoNotFit, message);
        let inputs = value::decode(self.inputs).map_err(|error| unfit(error.to_string()))?;
        let flow = catalog
            .find_flow(&permit.callee.workspace, &permit.callee.flow)
            .ok_or_else(|| refusal(Rule::UnknownFlow, format!("`{}` is gone", permit.callee)))?;
        let complete = flow.inputs.apply(&inputs).map_err(|faults| {
            unfit(format!("`{}` does not take these inputs: {}", permit.callee, list(&faults)))
        })?;
        let turn = flow.turns.turn(&complete);
        let complete = value::encode(&complete);
        check_value(&complete, MAX_VALUE, "the inputs of a call")
            .map_err(|failure| unfit(failure.message))?;
        Ok((permit, (complete, turn)))
    }

    fn accepted(
        &self,
        id: RunId,
        permit: Permit<'_>,
        record: CallRecord,
        (inputs, turn): (Vec<u8>, Turn),
        wait: bool,
    ) -> Result<NewCall, Failure> {
        let internal = |message: String| Failure::transient(Code::Internal, message);
        let workspace = &permit.callee.workspace;
        let Some((spec, info)) = self.live.find(workspace) else {
            return Err(internal(format!("`{workspace}` is not live")));
        };
        let queue_bound = self.live.grants(workspace).limits.queue;
        let mut chain = self.caller.chain.clone();
        chain.push(record.caller.clone());
        let trigger = Trigger::Call {
            caller: record.caller.clone(),
            run: self.caller.id.clone(),
            service: permit.export.map(|(service, _)| service.to_string()),
        };
        let run = NewRun {
            id,
            deadline: deadline_of(spec, &permit.callee.flow, record.at),
            workspace: permit.callee.workspace,
            flow: permit.callee.flow,
            deployment: info.deployment,
            trigger,
            inputs,
            chain,
            queued_at: record.at,
            turn,
        };
        Ok(NewCall { run, queue_bound, record, wait, until: None })
    }
}

fn refusal(rule: Rule, message: String) -> Refusal {
    Refusal { rule, message }
}

/// The record of a call that the declarations allow.
fn describe(record: CallRecord, permit: &Permit<'_>) -> CallRecord {
    CallRecord {
        decision: CallDecision::Allowed,
        rule: permit.rule,
        callee: Some((permit.callee.workspace.clone(), permit.callee.flow.clone())),
        service: permit.export.map(|(service, export)| (service.to_string(), export.version)),
        ..record
    }
}

fn deny(record: CallRecord, refusal: &Refusal) -> Denied {
    let code = refusal.rule.code().unwrap_or(Code::Denied);
    let message = format!("call of `{}` refused: {}", record.target, refusal.message);
    let failure = match refusal.rule {
        Rule::RateLimit | Rule::QueueFull => Failure::transient(code, message),
        _ => Failure::permanent(code, message),
    };
    let record = CallRecord { decision: CallDecision::Refused, rule: refusal.rule, ..record };
    Box::new((record, failure))
}

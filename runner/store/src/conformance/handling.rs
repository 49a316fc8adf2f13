//! What the end of a run starts.

use signalbox_core::codes::Code;
use signalbox_core::handler::Event;
use signalbox_core::ids::FlowRef;
use signalbox_core::run::{Ending, NewRun, Reason, RunError, Trigger};

use super::kit::{end_then, record};
use super::{Kit, Place};
use crate::contract::{
    Aftermath, CallDecision, CallFilter, Claim, Handling, NewCall, Recovery, Write, Written,
};

/// A run that handles the end of another.
fn handler(kit: &Kit, of: &Claim, event: Event) -> NewRun {
    let flow = FlowRef { workspace: of.run.workspace.clone(), flow: of.run.flow.clone() };
    let trigger = Trigger::Handler { event, flow, of: of.run.id.clone(), service: None };
    NewRun { trigger, ..kit.run() }
}

fn failed() -> Ending {
    Ending::Failed(Reason::ScriptError, RunError::plain(Code::ScriptError, "boom"))
}

fn failing(claim: &Claim, aftermath: Aftermath) -> Write {
    end_then(claim, failed(), aftermath)
}

fn succeeding(claim: &Claim, recovery: Recovery) -> Write {
    let aftermath = Aftermath { recovery: Some(recovery), ..Aftermath::default() };
    end_then(claim, Ending::Succeeded(vec![0]), aftermath)
}

fn run(run: &NewRun) -> Handling {
    Handling::Run(Box::new(run.clone()))
}

pub(crate) async fn an_ending_starts_its_handlers_once(place: &dyn Place) {
    let kit = Kit::new(place).await;
    let ended = kit.claimed().await;
    let handler = handler(&kit, &ended, Event::Failure);
    let aftermath = Aftermath { started: vec![run(&handler)], recovery: None };
    let write = failing(&ended, aftermath);
    assert_eq!(kit.write(write.clone()).await, Written::Done(None));
    assert_eq!(kit.write(write).await, Written::Rejected, "the end is the end");
    let kit = kit.reopen(place).await;
    let claims = kit.claims("one", 9).await;
    assert_eq!(claims.into_iter().map(|claim| claim.run).collect::<Vec<_>>(), [handler]);
}

pub(crate) async fn a_refused_ending_starts_nothing(place: &dyn Place) {
    let kit = Kit::new(place).await;
    let ended = kit.claimed().await;
    let handler = handler(&kit, &ended, Event::Failure);
    let stranger = Claim { epoch: ended.epoch + 1, ..ended };
    let aftermath = Aftermath { started: vec![run(&handler)], recovery: None };
    assert_eq!(kit.write(failing(&stranger, aftermath)).await, Written::Fenced);
    assert!(kit.claims("one", 9).await.is_empty());
    assert!((*kit).run(&handler.id).await.is_err());
}

pub(crate) async fn a_recovery_is_the_first_success_after_a_failure(place: &dyn Place) {
    let mut kit = Kit::new(place).await;
    let mut recovered = Vec::new();
    for fails in [false, true, true, false, false, true, false] {
        kit.queued().await;
        let claim = kit.claim_one("one").await;
        let handler = handler(&kit, &claim, Event::Recovery);
        if fails {
            let recovery = Some(Recovery::Awaited);
            kit.write(failing(&claim, Aftermath { recovery, ..Aftermath::default() })).await;
        } else {
            kit.write(succeeding(&claim, Recovery::Over(Box::new(run(&handler))))).await;
        }
        kit = kit.reopen(place).await;
        let started = kit.claims("one", 9).await;
        recovered.push(started.iter().any(|claim| claim.run == handler));
        for claim in started {
            kit.write(end_then(&claim, Ending::Cancelled, Aftermath::default())).await;
        }
    }
    assert_eq!(recovered, [false, false, false, true, false, false, true]);
}

pub(crate) async fn a_service_that_handles_is_called_on_record(place: &dyn Place) {
    let kit = Kit::new(place).await;
    let ended = kit.claimed().await;
    let flow = FlowRef { workspace: ended.run.workspace.clone(), flow: ended.run.flow.clone() };
    let service = Some("alerts.send".to_owned());
    let trigger =
        Trigger::Handler { event: Event::Failure, flow, of: ended.run.id.clone(), service };
    let called = NewRun { trigger, workspace: "two".parse().unwrap(), ..kit.run() };
    let allowed = record(&ended.run, "two");
    let refused = crate::contract::CallRecord {
        decision: CallDecision::Refused,
        ..record(&ended.run, "two")
    };
    let call =
        NewCall { run: called.clone(), queue_bound: 9, record: allowed, wait: false, until: None };
    let started = vec![Handling::Call(Box::new(call)), Handling::Refused(Box::new(refused))];
    kit.write(failing(&ended, Aftermath { started, recovery: None })).await;
    let claim = kit.claim_one("two").await;
    assert_eq!(claim.run, called);
    kit.write(end_then(&claim, Ending::Succeeded(vec![0]), Aftermath::default())).await;
    let calls = kit.calls(CallFilter { limit: 9, ..CallFilter::default() }).await.unwrap().items;
    let decisions: Vec<_> = calls.iter().map(|call| call.record.decision).collect();
    assert_eq!(decisions, [CallDecision::Refused, CallDecision::Allowed]);
    assert_eq!(calls[1].run.as_ref(), Some(&called.id));
    assert_eq!(calls[1].state, Some(signalbox_core::run::State::Succeeded), "its end is on record");
}

//! What the end of a run starts.

use signalbox_core::clock::Timestamp;
use signalbox_core::codes::Code;
use signalbox_core::handler::{Event, Handler};
use signalbox_core::ids::FlowRef;
use signalbox_core::run::{Ending, NewRun, Reason, RunError, Trigger};

use super::kit::{end_then, new_deployment, record, script, sleep, spec, suspend};
use super::{Kit, Place};
use crate::contract::{
    Aftermath, CallDecision, CallFilter, Claim, DeploymentOutcome, Handling, NewCall, Recovery,
    Write, Written,
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

fn over(schedule: Option<&str>, handler: &NewRun) -> Recovery {
    Recovery::Over { schedule: schedule.map(str::to_owned), started: vec![run(handler)] }
}

fn run(run: &NewRun) -> Handling {
    Handling::Run(Box::new(run.clone()))
}

pub(crate) async fn an_ending_starts_its_handlers_once(place: &dyn Place) {
    let kit = Kit::new(place).await;
    let ended = kit.claimed().await;
    let handler = handler(&kit, &ended, Event::Failure);
    let aftermath = Aftermath { started: vec![run(&handler)], recovery: None, expected: false };
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
    let aftermath = Aftermath { started: vec![run(&handler)], recovery: None, expected: false };
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
            let recovery = Some(Recovery::Awaited { schedule: None });
            kit.write(failing(&claim, Aftermath { recovery, ..Aftermath::default() })).await;
        } else {
            kit.write(succeeding(&claim, over(None, &handler))).await;
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
    kit.write(failing(&ended, Aftermath { started, recovery: None, expected: false })).await;
    let claim = kit.claim_one("two").await;
    assert_eq!(claim.run, called);
    kit.write(end_then(&claim, Ending::Succeeded(vec![0]), Aftermath::default())).await;
    let calls = kit.calls(CallFilter { limit: 9, ..CallFilter::default() }).await.unwrap().items;
    let decisions: Vec<_> = calls.iter().map(|call| call.record.decision).collect();
    assert_eq!(decisions, [CallDecision::Refused, CallDecision::Allowed]);
    assert_eq!(calls[1].run.as_ref(), Some(&called.id));
    assert_eq!(calls[1].state, Some(signalbox_core::run::State::Succeeded), "its end is on record");
}

pub(crate) async fn recoveries_of_a_schedule_are_told_apart(place: &dyn Place) {
    let kit = Kit::new(place).await;
    let mut recovered = Vec::new();
    let steps = [
        (None, true),
        (Some("night"), true),
        (None, false),
        (None, false),
        (Some("day"), false),
        (Some("night"), false),
        (Some("night"), false),
    ];
    for (schedule, fails) in steps {
        let claim = kit.claimed().await;
        let handler = handler(&kit, &claim, Event::Recovery);
        if fails {
            let recovery = Some(Recovery::Awaited { schedule: schedule.map(str::to_owned) });
            kit.write(failing(&claim, Aftermath { recovery, ..Aftermath::default() })).await;
        } else {
            kit.write(succeeding(&claim, over(schedule, &handler))).await;
        }
        recovered.push(!end_all(&kit).await.is_empty());
    }
    assert_eq!(recovered, [false, false, true, false, false, true, false]);
}

/// Cancels what there is to claim.
async fn end_all(kit: &Kit) -> Vec<Claim> {
    let claims = kit.claims("one", 9).await;
    for claim in &claims {
        kit.write(end_then(claim, Ending::Cancelled, Aftermath::default())).await;
    }
    claims
}

pub(crate) async fn a_recovery_that_nobody_was_to_hear_of_is_not_told_later(place: &dyn Place) {
    let kit = Kit::new(place).await;
    let told = async |kit: &Kit| {
        let claim = kit.claimed().await;
        let handler = handler(kit, &claim, Event::Recovery);
        kit.write(succeeding(&claim, over(None, &handler))).await;
        end_all(kit).await.len()
    };
    let deploy = async |kit: &Kit, tells: bool| {
        let mut new = new_deployment("one", DeploymentOutcome::Deployed);
        let mut spec = spec("one");
        let handlers = spec.flows.values_mut().map(|flow| &mut flow.handlers);
        handlers.for_each(|handlers| {
            handlers.recovery = tells.then(|| Handler::Flow("f".parse().unwrap()));
        });
        new.spec = Some(std::sync::Arc::new(spec));
        kit.deploy(vec![new], vec![script()]).await.unwrap();
    };
    let fail = async |kit: &Kit| {
        let claim = kit.claimed().await;
        let recovery = Some(Recovery::Awaited { schedule: None });
        kit.write(failing(&claim, Aftermath { recovery, ..Aftermath::default() })).await;
    };
    deploy(&kit, true).await;
    fail(&kit).await;
    deploy(&kit, true).await;
    assert_eq!(told(&kit).await, 1, "another revision changes nothing");
    fail(&kit).await;
    deploy(&kit, false).await;
    deploy(&kit, true).await;
    assert_eq!(told(&kit).await, 0, "it may have succeeded often");
    deploy(&kit, false).await;
    // A run of the revision before.
    fail(&kit).await;
    deploy(&kit, true).await;
    assert_eq!(told(&kit).await, 0);
}

pub(crate) async fn a_failure_that_nobody_has_starts_its_handlers_once(place: &dyn Place) {
    let kit = Kit::new(place).await;
    let claim = kit.claimed().await;
    let handler = handler(&kit, &claim, Event::Failure);
    let fail = |started: Vec<Handling>| Write::Fail {
        run: claim.run.id.clone(),
        at: Timestamp(60_000),
        reason: Reason::TimedOut,
        error: RunError::plain(Code::RunTimedOut, "late"),
        aftermath: Some(Box::new(Aftermath { started, recovery: None, expected: false })),
    };
    assert_eq!(kit.write(fail(vec![run(&handler)])).await, Written::Claimed);
    assert!(kit.claims("one", 9).await.is_empty(), "whoever has it ends it");
    kit.write(sleep(&claim, 1, 0, 90_000)).await;
    kit.write(suspend(&claim, 0)).await;
    assert_eq!(kit.write(fail(vec![run(&handler)])).await, Written::Done(None));
    assert_eq!(kit.write(fail(vec![run(&handler)])).await, Written::Rejected);
    let kit = kit.reopen(place).await;
    let claims = kit.claims("one", 9).await;
    assert_eq!(claims.into_iter().map(|claim| claim.run).collect::<Vec<_>>(), [handler]);
}

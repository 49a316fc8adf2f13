//! Calls and their answers, in every order.

use signalbox_core::broker::Rule;
use signalbox_core::clock::Timestamp;
use signalbox_core::codes::Code;
use signalbox_core::journal::{Failure, Outcome};
use signalbox_core::run::{Reason, State};
use signalbox_core::{RunId, value};

use super::kit::{cancel, done, key, perform, record, release, suspend};
use super::{Kit, Place, end};
use crate::contract::{
    Answer, CallDecision, CallFilter, CallView, Claim, InternalEffect, Write, Written,
};

fn answered(claim: &Claim, woken: bool) -> Written {
    let run = claim.run.id.clone();
    Written::Answered(Answer { run, key: key(0), outcome: done(42), woken })
}

async fn outcome(kit: &Kit, run: &RunId) -> Outcome {
    kit.journal(run).await.unwrap().remove(0).outcome
}

/// A claimed caller and the claim of the run that it called and waits for.
async fn pair(kit: &Kit) -> (Claim, Claim) {
    let caller = kit.claimed().await;
    let (callee, written) = kit.call(&caller, true).await;
    assert_eq!(written, Written::Done(Some(Outcome::Pending)));
    assert_eq!(outcome(kit, &caller.run.id).await, Outcome::Pending);
    let claim = kit.claim_one("two").await;
    assert_eq!(claim.run.id, callee);
    (caller, claim)
}

pub(crate) async fn an_answer_wakes_a_suspended_caller(place: &dyn Place) {
    let kit = Kit::new(place).await;
    let (caller, callee) = pair(&kit).await;
    kit.queued().await;
    assert_eq!(kit.write(suspend(&caller, 0)).await, Written::Done(None));
    let view = (*kit).run(&caller.run.id).await.unwrap();
    assert_eq!(view.summary.state, State::Suspended);
    assert_eq!(view.summary.reason, Some(Reason::WaitingCall));
    assert_eq!(view.waits_for, std::slice::from_ref(&callee.run.id));
    assert_eq!(kit.write(end(&callee, 1)).await, answered(&caller, true));
    let view = (*kit).run(&caller.run.id).await.unwrap();
    assert_eq!((view.summary.state, view.summary.reason), (State::Queued, None));
    assert!(view.waits_for.is_empty());
    assert_eq!(outcome(&kit, &caller.run.id).await, done(42));
    let again = kit.claim_one("one").await;
    assert_eq!(again.run, caller.run, "it goes first");
    assert_eq!((again.next_chunk, again.active_us), (2, 11));
}

pub(crate) async fn an_answer_reaches_a_running_caller(place: &dyn Place) {
    let kit = Kit::new(place).await;
    let (caller, callee) = pair(&kit).await;
    assert_eq!(kit.write(end(&callee, 1)).await, answered(&caller, false));
    assert_eq!(outcome(&kit, &caller.run.id).await, done(42));
    assert_eq!(kit.write(end(&caller, 2)).await, Written::Done(None));
}

pub(crate) async fn a_wait_for_what_is_there_does_not_happen(place: &dyn Place) {
    let kit = Kit::new(place).await;
    let (caller, callee) = pair(&kit).await;
    let batch = vec![end(&callee, 1), suspend(&caller, 0)];
    assert_eq!(
        kit.commit(batch).await.unwrap(),
        [answered(&caller, false), Written::Woken],
        "in one batch"
    );
    assert_eq!(kit.claim_one("one").await.run, caller.run);
    assert!(kit.deadlines().await.unwrap().is_empty());
}

pub(crate) async fn the_first_answer_stays(place: &dyn Place) {
    let kit = Kit::new(place).await;
    let (caller, callee) = pair(&kit).await;
    kit.write(suspend(&caller, 0)).await;
    let late = |ordinal, number| Write::Answer {
        run: caller.run.id.clone(),
        key: key(ordinal),
        outcome: done(number),
        at: Timestamp(50_000),
    };
    let other = Answer { run: caller.run.id.clone(), key: key(5), outcome: done(5), woken: false };
    assert_eq!(kit.write(late(5, 5)).await, Written::Answered(other), "not what it waits for");
    let timed_out =
        Answer { run: caller.run.id.clone(), key: key(0), outcome: done(-9), woken: true };
    assert_eq!(kit.write(late(0, -9)).await, Written::Answered(timed_out));
    assert_eq!(kit.write(late(0, -8)).await, Written::Done(None));
    assert_eq!(kit.write(end(&callee, 1)).await, Written::Done(None));
    assert_eq!(outcome(&kit, &caller.run.id).await, done(-9));
    assert_eq!(kit.claims("one", 9).await.len(), 1, "woken once");
}

pub(crate) async fn a_full_callee_refuses_the_call(place: &dyn Place) {
    let kit = Kit::new(place).await;
    let first = kit.claimed().await;
    let (_, written) = kit.call(&first, false).await;
    assert!(matches!(written, Written::Done(Some(Outcome::Done(_)))));
    let second = kit.claimed().await;
    let (id, written) = kit.call(&second, true).await;
    let Written::Done(Some(Outcome::Failed(failure))) = written else { panic!("{written:?}") };
    assert_eq!((failure.code, failure.retryable), (Code::QueueFull, true));
    assert!((*kit).run(&id).await.is_err());
    let views = calls(&kit).await;
    assert_eq!(views[0].record.rule, Rule::QueueFull);
    assert_eq!(views[0].record.decision, CallDecision::Refused);
    assert_eq!(views[0].run, None);
}

async fn calls(kit: &Kit) -> Vec<CallView> {
    let filter = CallFilter { limit: 100, ..CallFilter::default() };
    kit.calls(filter).await.unwrap().items
}

pub(crate) async fn refusals_are_on_record(place: &dyn Place) {
    let kit = Kit::new(place).await;
    let claim = kit.claimed().await;
    let mut refused = record(&claim.run, "two");
    refused.decision = CallDecision::Refused;
    refused.rule = Rule::UnknownService;
    refused.callee = None;
    refused.service = None;
    let failure = Failure::permanent(Code::UnknownService, "no such service");
    let effect = InternalEffect::Refused(Box::new(refused.clone()), failure.clone());
    assert_eq!(
        kit.write(perform(&claim, 1, 0, effect)).await,
        Written::Done(Some(Outcome::Failed(failure.clone())))
    );
    assert_eq!(outcome(&kit, &claim.run.id).await, Outcome::Failed(failure));
    let view = &calls(&kit).await[0];
    assert_eq!(view.record, refused);
    assert_eq!((view.run.clone(), view.state, view.latency_ms), (None, None, None));
}

pub(crate) async fn a_started_run_answers_nobody(place: &dyn Place) {
    let kit = Kit::new(place).await;
    let caller = kit.claimed().await;
    let (id, written) = kit.call(&caller, false).await;
    let expected = value::encode(&id.as_str().into());
    assert_eq!(written, Written::Done(Some(Outcome::Done(expected.clone()))));
    let callee = kit.claim_one("two").await;
    assert_eq!(kit.write(end(&callee, 1)).await, Written::Done(None));
    assert_eq!(outcome(&kit, &caller.run.id).await, Outcome::Done(expected));
    let view = &calls(&kit).await[0];
    assert_eq!(view.record, record(&caller.run, "two"));
    assert_eq!((view.run.clone(), view.state), (Some(id), Some(State::Succeeded)));
    assert_eq!(view.latency_ms, Some(5.0));
}

pub(crate) async fn a_cancelled_callee_answers_its_caller(place: &dyn Place) {
    let kit = Kit::new(place).await;
    let caller = kit.claimed().await;
    let (id, _) = kit.call(&caller, true).await;
    kit.write(suspend(&caller, 0)).await;
    let answer = Answer { run: caller.run.id.clone(), key: key(0), outcome: done(-1), woken: true };
    assert_eq!(kit.write(cancel(&id)).await, Written::Answered(answer));
    assert_eq!(outcome(&kit, &caller.run.id).await, done(-1));
    assert_eq!(kit.claim_one("one").await.run, caller.run);
    assert!(kit.claims("two", 9).await.is_empty());
}

pub(crate) async fn an_ended_caller_gets_nothing(place: &dyn Place) {
    let kit = Kit::new(place).await;
    let (caller, callee) = pair(&kit).await;
    assert_eq!(kit.write(end(&caller, 2)).await, Written::Done(None));
    // Its callee's cell dies meanwhile, so that the end comes from a claim that was read again.
    kit.write(release(&callee, true)).await;
    let callee = kit.claim_one("two").await;
    assert_eq!(kit.write(end(&callee, 1)).await, Written::Done(None));
    assert_eq!(kit.state(&caller.run.id).await, State::Succeeded);
    assert!(kit.claims("one", 9).await.is_empty());
}

pub(crate) async fn deadlines_are_those_of_suspended_runs(place: &dyn Place) {
    let kit = Kit::new(place).await;
    let (caller, callee) = pair(&kit).await;
    assert!(kit.deadlines().await.unwrap().is_empty());
    kit.write(suspend(&caller, 0)).await;
    let expected = [(caller.run.id.clone(), key(0), Timestamp(99_000))];
    assert_eq!(kit.deadlines().await.unwrap(), expected);
    let kit = kit.reopen(place).await;
    assert_eq!(kit.deadlines().await.unwrap(), expected);
    let again = kit.claim_one("two").await;
    assert_eq!(again.run, callee.run);
    assert_eq!(kit.write(end(&again, 1)).await, answered(&caller, true));
    assert!(kit.deadlines().await.unwrap().is_empty());
}

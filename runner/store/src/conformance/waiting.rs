//! Calls and their answers, in every order.

use signalbox_core::broker::Rule;
use signalbox_core::clock::Timestamp;
use signalbox_core::codes::Code;
use signalbox_core::journal::{Failure, Outcome};
use signalbox_core::run::{Reason, State};
use signalbox_core::{RunId, value};

use super::kit::{answer, cancel, done, perform, record, release, suspend};
use super::{Kit, Place, end};
use crate::contract::{
    CallDecision, CallFilter, CallView, Claim, Expired, InternalEffect, Written,
};

fn answered(claim: &Claim, woken: bool) -> Written {
    Written::Answered(vec![answer(claim, 0, done(42), woken)])
}

/// How a run is suspended that waits for a call.
pub(crate) const CALLING: Written =
    Written::Suspended { reason: Reason::WaitingCall, until: Some(Timestamp(99_000)) };

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
    assert_eq!(kit.write(suspend(&caller, 0)).await, CALLING);
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
    assert_eq!(kit.expire(Timestamp(i64::MAX)).await.unwrap(), Expired::default());
}

pub(crate) async fn the_first_answer_stays(place: &dyn Place) {
    let kit = Kit::new(place).await;
    let (caller, callee) = pair(&kit).await;
    kit.write(suspend(&caller, 0)).await;
    let expired = kit.expire(Timestamp(99_000)).await.unwrap();
    let [timed_out] = expired.answers.as_slice() else { panic!("{expired:?}") };
    let Outcome::Failed(failure) = &timed_out.outcome else { panic!("{timed_out:?}") };
    assert_eq!((failure.code, timed_out.woken), (Code::CallTimedOut, true));
    assert_eq!(kit.expire(Timestamp(99_000)).await.unwrap(), Expired::default());
    assert_eq!(kit.write(end(&callee, 1)).await, Written::Done(None));
    assert_eq!(outcome(&kit, &caller.run.id).await, timed_out.outcome);
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
    let effect = InternalEffect::Refused(Box::new(refused.clone()), failure.clone(), Vec::new());
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
    let expected = Written::Answered(vec![answer(&caller, 0, done(-1), true)]);
    assert_eq!(kit.write(cancel(&id)).await, expected);
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

pub(crate) async fn a_call_that_takes_too_long_is_due_over_a_restart(place: &dyn Place) {
    let kit = Kit::new(place).await;
    let (caller, callee) = pair(&kit).await;
    assert_eq!(*kit.due().borrow(), Some(Timestamp(99_000)), "whoever has the caller");
    kit.write(suspend(&caller, 0)).await;
    let kit = kit.reopen(place).await;
    assert_eq!(*kit.due().borrow(), Some(Timestamp(99_000)));
    let again = kit.claim_one("two").await;
    assert_eq!(again.run, callee.run);
    assert_eq!(kit.write(end(&again, 1)).await, answered(&caller, true));
    assert_eq!(kit.expire(Timestamp(99_000)).await.unwrap(), Expired::default());
    assert_eq!(*kit.due().borrow(), None);
}

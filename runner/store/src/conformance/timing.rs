//! Moments, attempts, successors, deadlines, dead letters.

use signalbox_core::clock::Timestamp;
use signalbox_core::codes::Code;
use signalbox_core::ids::FlowRef;
use signalbox_core::journal::{Chunk, Key, Outcome};
use signalbox_core::run::{Ending, NewRun, Reason, RunError, State, Trigger};
use signalbox_core::turn::{Turn, WhenFull};
use signalbox_core::value::encode;
use signalbox_core::{RunId, Value};

use super::kit::{
    answer, done, end_with, key, one_entry, perform, release, retry, sleep, succeed_by, suspend,
};
use super::{Kit, Place, append, end, run_in};
use crate::contract::{
    Accepted, Claim, Expired, InternalEffect, Named, NewFlow, RunFilter, RunView, WaitKind, Write,
    Written,
};

const PENDING: Written = Written::Done(Some(Outcome::Pending));

fn null() -> Outcome {
    Outcome::Done(encode(&Value::Null))
}

fn named(run: &NewRun) -> Named {
    let NewRun { id, workspace, flow, .. } = run.clone();
    Named { run: id, workspace, flow }
}

async fn view(kit: &Kit, run: &RunId) -> RunView {
    (**kit).run(run).await.unwrap()
}

async fn expired(kit: &Kit, now: i64) -> Expired {
    kit.expire(Timestamp(now)).await.unwrap()
}

/// A run that sleeps until a moment.
async fn asleep(kit: &Kit, until: i64) -> Claim {
    let claim = kit.claimed().await;
    assert_eq!(kit.write(sleep(&claim, 1, 0, until)).await, PENDING);
    let expected =
        Written::Suspended { reason: Reason::WaitingUntil, until: Some(Timestamp(until)) };
    assert_eq!(kit.write(suspend(&claim, 0)).await, expected);
    claim
}

pub(crate) async fn a_sleep_wakes_its_run_once(place: &dyn Place) {
    let kit = Kit::new(place).await;
    let claim = asleep(&kit, 60_000).await;
    let seen = view(&kit, &claim.run.id).await;
    assert_eq!(seen.summary.reason, Some(Reason::WaitingUntil));
    assert_eq!(seen.summary.until, Some(Timestamp(60_000)));
    assert_eq!(seen.waits[0].kind, WaitKind::Moment);
    let kit = kit.reopen(place).await;
    assert_eq!(*kit.due().borrow(), Some(Timestamp(60_000)));
    assert_eq!(expired(&kit, 59_999).await, Expired::default());
    assert_eq!(*kit.due().borrow(), Some(Timestamp(60_000)), "a clock that was set back");
    let woken = Expired { answers: vec![answer(&claim, 0, null(), true)], ..Expired::default() };
    assert_eq!(expired(&kit, 60_000).await, woken);
    assert_eq!(expired(&kit, 70_000).await, Expired::default());
    assert_eq!(*kit.due().borrow(), None);
    let again = kit.claims("one", 9).await;
    assert_eq!(again.len(), 1, "woken once");
    assert_eq!(kit.journal(&claim.run.id).await.unwrap()[0].outcome, null());
    assert!(view(&kit, &claim.run.id).await.waits.is_empty());
}

pub(crate) async fn any_of_several_waits_wakes_a_run(place: &dyn Place) {
    let kit = Kit::new(place).await;
    let claim = kit.claimed().await;
    for (number, until) in [(1, 80_000), (2, 60_000), (3, 70_000)] {
        assert_eq!(kit.write(sleep(&claim, number, number, until)).await, PENDING);
    }
    let all = |ordinals: &[u32]| Write::Suspend {
        run: claim.run.id.clone(),
        epoch: claim.epoch,
        waits_for: ordinals.iter().map(|ordinal| key(*ordinal)).collect(),
        active_us: 1,
    };
    assert_eq!(*kit.due().borrow(), Some(Timestamp(60_000)));
    kit.write(all(&[1, 2, 3])).await;
    let woken = expired(&kit, 60_000).await.answers;
    assert_eq!(woken, [answer(&claim, 2, null(), true)]);
    assert_eq!(*kit.due().borrow(), Some(Timestamp(70_000)));
    let again = kit.claim_one("one").await;
    let late = expired(&kit, 70_000).await.answers;
    assert_eq!(late, [answer(&claim, 3, null(), false)], "whoever has it is told");
    let again_waits = |ordinals: &[u32]| match all(ordinals) {
        Write::Suspend { run, waits_for, active_us, .. } => {
            Write::Suspend { run, epoch: again.epoch, waits_for, active_us }
        }
        other => other,
    };
    assert_eq!(kit.write(again_waits(&[1, 3])).await, Written::Woken, "3 is there");
}

pub(crate) async fn nothing_waits_for_nothing(place: &dyn Place) {
    let kit = Kit::new(place).await;
    let claim = kit.claimed().await;
    assert_eq!(kit.write(suspend(&claim, 0)).await, Written::Woken);
    assert_eq!(kit.claim_one("one").await.run, claim.run);
}

pub(crate) async fn what_is_due_comes_in_portions(place: &dyn Place) {
    let kit = Kit::new(place).await;
    let runs: Vec<_> = (0..1_005).map(|_| Kit::plain(kit.run())).collect();
    let runs =
        runs.into_iter().map(|accept| crate::contract::Accept { queue_bound: 2_000, ..accept });
    kit.accept(runs.collect()).await.unwrap();
    let claims = kit.claims("one", 1_005).await;
    let writes = claims.iter().flat_map(|claim| [sleep(claim, 1, 0, 60_000), suspend(claim, 0)]);
    kit.commit(writes.collect()).await.unwrap();
    let first = expired(&kit, 60_000).await;
    assert_eq!((first.answers.len(), first.more), (1_000, true));
    assert_eq!(*kit.due().borrow(), Some(Timestamp(60_000)));
    let second = expired(&kit, 60_000).await;
    assert_eq!((second.answers.len(), second.more), (5, false));
    assert_eq!(kit.claims("one", 9_999).await.len(), 1_005, "each once");
}

pub(crate) async fn a_failed_attempt_is_followed_by_the_next(place: &dyn Place) {
    let kit = Kit::new(place).await;
    let caller = kit.claimed().await;
    kit.call(&caller, true).await;
    kit.write(suspend(&caller, 0)).await;
    let claim = kit.claim_one("two").await;
    assert_eq!(kit.write(append(&claim, 1, one_entry(7))).await, Written::Done(None));
    let waits = Written::Suspended { reason: Reason::WaitingRetry, until: Some(Timestamp(60_000)) };
    assert_eq!(kit.write(retry(&claim, 2, 60_000)).await, waits);
    let kit = kit.reopen(place).await;
    let seen = view(&kit, &claim.run.id).await;
    assert_eq!((seen.summary.state, seen.summary.attempt), (State::Suspended, 1));
    assert_eq!(seen.summary.error.unwrap().message, "not this time");
    assert_eq!(seen.waits[0].kind, WaitKind::Retry);
    assert_eq!(kit.state(&caller.run.id).await, State::Suspended, "it goes on waiting");
    let woken = Expired { retried: vec![named(&claim.run)], ..Expired::default() };
    assert_eq!(expired(&kit, 60_000).await, woken);
    assert_eq!(expired(&kit, 60_000).await, Expired::default());
    let again = kit.claim_one("two").await;
    assert_eq!((again.attempt, again.next_chunk, again.active_us), (2, 2, 13));
    assert_eq!(view(&kit, &claim.run.id).await.summary.error, None);
    assert_eq!(kit.journal(&claim.run.id).await.unwrap(), one_entry(7).entries);
    let expected = Written::Answered(vec![answer(&caller, 0, done(42), true)]);
    assert_eq!(kit.write(end(&again, 2)).await, expected);
}

pub(crate) async fn what_a_run_waited_for_is_forgotten_with_its_attempt(place: &dyn Place) {
    let kit = Kit::new(place).await;
    let (ends, fails) = (kit.claimed().await, kit.claimed().await);
    for claim in [&ends, &fails] {
        assert_eq!(kit.write(sleep(claim, 1, 0, 90_000)).await, PENDING);
    }
    kit.write(end(&ends, 2)).await;
    kit.write(retry(&fails, 2, 60_000)).await;
    assert_eq!(view(&kit, &ends.run.id).await.waits.len(), 0);
    let waits: Vec<_> =
        view(&kit, &fails.run.id).await.waits.into_iter().map(|wait| wait.kind).collect();
    assert_eq!(waits, [WaitKind::Retry]);
    assert_eq!(expired(&kit, 60_000).await.retried, [named(&fails.run)]);
    assert_eq!(*kit.due().borrow(), None, "nobody sleeps any more");
}

pub(crate) async fn a_run_can_be_cancelled_while_it_waits(place: &dyn Place) {
    let kit = Kit::new(place).await;
    let sleeping = asleep(&kit, 60_000).await;
    let trying = kit.claimed().await;
    kit.write(retry(&trying, 1, 60_000)).await;
    for claim in [&sleeping, &trying] {
        assert_eq!(kit.write(super::cancel(&claim.run.id)).await, Written::Done(None));
        assert!(view(&kit, &claim.run.id).await.waits.is_empty());
    }
    assert_eq!(expired(&kit, 60_000).await, Expired::default());
    assert_eq!(*kit.due().borrow(), None);
    assert!(kit.claims("one", 9).await.is_empty());
}

fn successor_of(claim: &Claim) -> NewRun {
    let trigger = Trigger::Continue { of: claim.run.id.clone(), root: None };
    NewRun { trigger, ..run_in("two", claim.run.deployment) }
}

pub(crate) async fn a_successor_takes_over(place: &dyn Place) {
    let kit = Kit::new(place).await;
    let caller = kit.claimed().await;
    kit.call(&caller, true).await;
    kit.write(suspend(&caller, 0)).await;
    let mut claim = kit.claim_one("two").await;
    for _ in 0..3 {
        let successor = successor_of(&claim);
        let next = successor.id.clone();
        assert_eq!(kit.write(succeed_by(&claim, 1, successor)).await, Written::Done(None));
        let ended = view(&kit, &claim.run.id).await;
        assert_eq!((ended.summary.state, ended.successor), (State::Succeeded, Some(next.clone())));
        assert_eq!(ended.result, Some(encode(&Value::from(next.as_str()))));
        assert_eq!(view(&kit, &caller.run.id).await.waits_for, std::slice::from_ref(&next));
        claim = kit.claim_one("two").await;
        assert_eq!(claim.run.id, next);
    }
    let kit = kit.reopen(place).await;
    let claim = kit.claim_one("two").await;
    let expected = Written::Answered(vec![answer(&caller, 0, done(42), true)]);
    assert_eq!(kit.write(end(&claim, 1)).await, expected);
    let calls = kit.calls(crate::contract::CallFilter { limit: 9, ..Default::default() });
    let call = calls.await.unwrap().items.remove(0);
    assert_eq!((call.run, call.state), (Some(claim.run.id), Some(State::Succeeded)));
}

/// Starts a flow of the same workspace from a claimed run.
async fn flow(kit: &Kit, caller: &Claim, number: u32, wait: bool) -> (NewRun, Written) {
    let by = FlowRef { workspace: caller.run.workspace.clone(), flow: caller.run.flow.clone() };
    let trigger = Trigger::Flow { caller: by, run: caller.run.id.clone() };
    let run = NewRun { trigger, ..run_in("two", kit.deployment) };
    let flow = NewFlow { run: run.clone(), queue_bound: 1, wait };
    let effect = InternalEffect::Flow(Box::new(flow));
    (run, kit.write(perform(caller, number, number, effect)).await)
}

pub(crate) async fn a_sub_flow_answers_whoever_waits_for_it(place: &dyn Place) {
    let kit = Kit::new(place).await;
    let caller = kit.claimed().await;
    let (run, written) = flow(&kit, &caller, 1, true).await;
    assert_eq!(written, PENDING);
    let (_, refused) = flow(&kit, &caller, 2, true).await;
    let Written::Done(Some(Outcome::Failed(failure))) = refused else { panic!("{refused:?}") };
    assert_eq!(failure.code, Code::QueueFull);
    assert_eq!(view(&kit, &caller.run.id).await.waits_for, std::slice::from_ref(&run.id));
    let claim = kit.claim_one("two").await;
    let expected = Written::Answered(vec![answer(&caller, 1, done(42), false)]);
    assert_eq!(kit.write(end(&claim, 1)).await, expected);
}

pub(crate) async fn a_run_waits_only_for_its_own(place: &dyn Place) {
    let kit = Kit::new(place).await;
    let caller = kit.claimed().await;
    let (started, written) = flow(&kit, &caller, 1, false).await;
    let id = Outcome::Done(encode(&Value::from(started.id.as_str())));
    assert_eq!(written, Written::Done(Some(id)));
    let wait = |claim: &Claim, number, run: &RunId| {
        perform(claim, number, number, InternalEffect::Wait { run: run.clone() })
    };
    // Twice: two branches may wait for the same run.
    assert_eq!(kit.write(wait(&caller, 2, &started.id)).await, PENDING);
    assert_eq!(kit.write(wait(&caller, 3, &started.id)).await, PENDING);
    let other = kit.claimed().await;
    for (number, stranger) in (1..).zip([&started.id, &caller.run.id, &kit.run().id]) {
        let written = kit.write(wait(&other, number, stranger)).await;
        let Written::Done(Some(Outcome::Failed(failure))) = written else { panic!("{written:?}") };
        assert_eq!(failure.code, Code::NotFound);
    }
    let claim = kit.claim_one("two").await;
    kit.write(succeed_by(&claim, 1, successor_of(&claim))).await;
    let last = kit.claim_one("two").await;
    let expected = [2, 3].map(|ordinal| answer(&caller, ordinal, done(42), false));
    assert_eq!(kit.write(end(&last, 1)).await, Written::Answered(expected.into()));
    let after = kit.write(wait(&caller, 4, &started.id)).await;
    assert_eq!(after, Written::Done(Some(done(42))), "its last successor has ended");
}

fn due_at(run: NewRun, deadline: i64) -> crate::contract::Accept {
    Kit::plain(NewRun { deadline: Some(Timestamp(deadline)), ..run })
}

fn late(run: &RunId) -> Write {
    let error = RunError::plain(Code::RunTimedOut, "its deadline has passed");
    let (run, at, reason) = (run.clone(), Timestamp(60_000), Reason::TimedOut);
    Write::Fail { run, at, reason, error, aftermath: None }
}

pub(crate) async fn a_deadline_is_told_and_ends_a_run_that_nobody_has(place: &dyn Place) {
    let kit = Kit::new(place).await;
    let queued = kit.run();
    kit.accept_one(due_at(queued.clone(), 60_000)).await;
    assert_eq!(*kit.due().borrow(), Some(Timestamp(60_000)));
    assert_eq!(expired(&kit, 60_000).await.overdue, [named(&queued)]);
    assert_eq!(kit.write(late(&queued.id)).await, Written::Done(None));
    let ended = view(&kit, &queued.id).await;
    assert_eq!(ended.summary.state, State::Failed);
    assert_eq!(ended.summary.reason, Some(Reason::TimedOut));
    assert_eq!(expired(&kit, 60_000).await, Expired::default());
    assert!(kit.claims("one", 9).await.is_empty());
}

pub(crate) async fn a_deadline_of_a_claimed_run_is_due_when_it_is_let_go(place: &dyn Place) {
    let kit = Kit::new(place).await;
    kit.accept_one(due_at(kit.run(), 60_000)).await;
    let claim = kit.claim_one("one").await;
    assert_eq!(claim.run.deadline, Some(Timestamp(60_000)));
    assert_eq!(kit.write(sleep(&claim, 1, 0, 90_000)).await, PENDING);
    assert_eq!(expired(&kit, 60_000).await.overdue, [named(&claim.run)]);
    assert_eq!(kit.write(late(&claim.run.id)).await, Written::Claimed);
    assert_eq!(*kit.due().borrow(), Some(Timestamp(90_000)), "nobody is woken for it again");
    kit.write(suspend(&claim, 0)).await;
    assert_eq!(*kit.due().borrow(), Some(Timestamp(60_000)), "until it is let go");
    let kit = kit.reopen(place).await;
    assert_eq!(*kit.due().borrow(), Some(Timestamp(60_000)));
    assert_eq!(kit.write(late(&claim.run.id)).await, Written::Done(None));
    assert_eq!(expired(&kit, 99_000).await, Expired::default(), "its sleep is gone with it");
}

pub(crate) async fn a_deadline_ends_a_run_before_its_next_attempt(place: &dyn Place) {
    let kit = Kit::new(place).await;
    kit.accept_one(due_at(kit.run(), 60_000)).await;
    let claim = kit.claim_one("one").await;
    kit.write(retry(&claim, 1, 60_000)).await;
    let both = expired(&kit, 60_000).await;
    assert_eq!((both.retried, both.overdue), (vec![named(&claim.run)], vec![named(&claim.run)]));
    assert_eq!(kit.write(late(&claim.run.id)).await, Written::Done(None));
    assert!(kit.claims("one", 9).await.is_empty(), "it does not begin any more");
    assert_eq!(expired(&kit, 99_000).await, Expired::default());
}

pub(crate) async fn deadlines_that_passed_come_in_portions(place: &dyn Place) {
    let kit = Kit::new(place).await;
    let runs = (0..1_005).map(|_| due_at(kit.run(), 60_000));
    let runs = runs.map(|accept| crate::contract::Accept { queue_bound: 2_000, ..accept });
    kit.accept(runs.collect()).await.unwrap();
    let first = expired(&kit, 60_000).await;
    assert_eq!((first.overdue.len(), first.more), (1_000, true));
    kit.commit(first.overdue.iter().map(|run| late(&run.run)).collect()).await.unwrap();
    let second = expired(&kit, 60_000).await;
    assert_eq!((second.overdue.len(), second.more), (5, false));
}

async fn dead(kit: &Kit) -> Vec<RunId> {
    let filter = RunFilter { dead: true, limit: 100, ..RunFilter::default() };
    kit.runs(filter).await.unwrap().items.into_iter().map(|run| run.id).collect()
}

pub(crate) async fn a_failure_is_a_dead_letter_until_somebody_deals_with_it(place: &dyn Place) {
    let kit = Kit::new(place).await;
    let failed = || Ending::Failed(Reason::ScriptError, RunError::plain(Code::ScriptError, "no"));
    let mut runs = Vec::new();
    for ending in [failed(), failed(), failed(), Ending::Cancelled] {
        let claim = kit.claimed().await;
        kit.write(end_with(&claim, 1, ending)).await;
        runs.push(claim.run.id);
    }
    let trying = kit.claimed().await;
    kit.write(retry(&trying, 1, 60_000)).await;
    let [first, second, third, cancelled] = runs.try_into().unwrap();
    assert_eq!(dead(&kit).await, [third.clone(), second.clone(), first.clone()]);
    assert!(kit.dismiss(&second, Timestamp(50_000)).await.unwrap());
    for other in [&second, &cancelled, &trying.run.id, &kit.run().id] {
        assert!(!kit.dismiss(other, Timestamp(51_000)).await.unwrap());
    }
    assert_eq!(view(&kit, &second).await.dealt_at, Some(Timestamp(50_000)));
    let again = NewRun { trigger: Trigger::Retry { of: third, root: None }, ..kit.run() };
    assert_eq!(kit.accept_one(Kit::plain(again)).await, Accepted::Queued);
    assert_eq!(dead(&kit).await, [first]);
}

pub(crate) async fn a_failure_whose_rerun_was_skipped_waits_for_somebody_still(place: &dyn Place) {
    let kit = Kit::new(place).await;
    let turn = Turn {
        key: Some(String::new()),
        limit: Some(1),
        when_full: WhenFull::Skip,
        ..Turn::default()
    };
    let claim = kit.claimed().await;
    let error = RunError::plain(Code::ScriptError, "no");
    kit.write(end_with(&claim, 1, Ending::Failed(Reason::ScriptError, error))).await;
    let holder = NewRun { turn: turn.clone(), ..kit.run() };
    assert_eq!(kit.accept_one(Kit::plain(holder)).await, Accepted::Queued);
    let of = claim.run.id.clone();
    let again = NewRun { trigger: Trigger::Retry { of, root: None }, turn, ..kit.run() };
    assert_eq!(kit.accept_one(Kit::plain(again)).await, Accepted::Skipped);
    assert_eq!(dead(&kit).await, [claim.run.id]);
}

pub(crate) async fn a_run_can_begin_with_a_record(place: &dyn Place) {
    let kit = Kit::new(place).await;
    let first = kit.queued().await;
    let run = kit.run();
    let accepted = kit.accept_with(Kit::plain(run.clone()), one_entry(3)).await.unwrap();
    assert_eq!(accepted, Accepted::Queued);
    let last = kit.queued().await;
    let claims = kit.claims("one", 9).await;
    let order: Vec<_> = claims.iter().map(|claim| claim.run.clone()).collect();
    assert_eq!(order, [first, run.clone(), last], "it waits its turn");
    assert_eq!(claims[1].next_chunk, 2);
    assert_eq!(kit.journal(&run.id).await.unwrap(), one_entry(3).entries);
    let plain = kit.accept_with(Kit::plain(kit.run()), Chunk::default()).await.unwrap();
    assert_eq!(plain, Accepted::Queued);
    assert_eq!(kit.claim_one("one").await.next_chunk, 1);
}

pub(crate) async fn starts_that_found_a_run_evaluated_are_counted(place: &dyn Place) {
    let mut kit = Kit::new(place).await;
    let run = kit.queued().await;
    let untouched = kit.queued().await;
    for recovered in 0..4 {
        let claims = kit.claims("one", 9).await;
        let claim = claims.iter().find(|claim| claim.run == run).unwrap();
        assert_eq!(claim.recovered, recovered);
        let other = claims.iter().find(|claim| claim.run == untouched).unwrap();
        assert_eq!(other.recovered, 0, "it left no trace");
        kit.write(append(claim, claim.next_chunk, Chunk::default())).await;
        kit = kit.reopen(place).await;
    }
    let claim = kit.claim_one("one").await;
    kit.write(release(&claim, false)).await;
    let claim = kit.claim_one("one").await;
    assert_eq!(claim.recovered, 4, "an orderly stop does not count");
    kit.write(append(&claim, claim.next_chunk, one_entry(0))).await;
    let kit = kit.reopen(place).await;
    assert_eq!(kit.claim_one("one").await.recovered, 1, "it came further");
}

pub(crate) async fn what_a_runner_may_have_died_of_leaves_its_trace_first(place: &dyn Place) {
    let kit = Kit::new(place).await;
    let run = kit.queued().await;
    assert!(!kit.claim_one("one").await.note, "nothing is to be paid for in the good case");
    let mut kit = kit.reopen(place).await;
    for died in 1..4 {
        let claim = kit.claim_one("one").await;
        assert_eq!((&claim.run, claim.note, claim.recovered), (&run, true, died - 1));
        kit.write(append(&claim, claim.next_chunk, Chunk::default())).await;
        let later = kit.queued().await;
        let later_claim = kit.claim_one("one").await;
        assert_eq!((&later_claim.run, later_claim.note), (&later, false));
        kit.write(end(&later_claim, 1)).await;
        kit = kit.reopen(place).await;
    }
    let queued = kit.queued().await;
    kit.close().await.unwrap();
    let kit = kit.reopen(place).await;
    let claims = kit.claims("one", 9).await;
    let found = claims.iter().find(|claim| claim.run == queued).unwrap();
    assert!(!found.note, "it was closed in good order");
}

pub(crate) async fn keys_of_retries_meet_no_entry(place: &dyn Place) {
    let kit = Kit::new(place).await;
    let claim = kit.claimed().await;
    kit.write(retry(&claim, 1, 60_000)).await;
    let wait = view(&kit, &claim.run.id).await.waits.remove(0);
    assert_eq!(wait.key, Key { scope: String::new(), attempt: 1, ordinal: u32::MAX });
    assert_eq!(wait.until, Some(Timestamp(60_000)));
}

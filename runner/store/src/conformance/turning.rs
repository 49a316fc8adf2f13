//! How runs take turns: keys, priority, debounce.

use std::collections::BTreeSet;
use std::time::Duration;

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use signalbox_core::RunId;
use signalbox_core::clock::Timestamp;
use signalbox_core::journal::Outcome;
use signalbox_core::run::{Ending, NewRun, Reason, State, Trigger};
use signalbox_core::turn::{Turn, WhenFull};
use signalbox_core::why::Standing;

use super::kit::{
    cancel, end_with, one_entry, perform, record, release, run_in, sleep, succeed_by, suspend,
};
use super::{Kit, Place, append, end};
use crate::contract::{Accepted, Claim, Displaced, InternalEffect, NewCall, Written};

fn keyed(limit: u32, when_full: WhenFull) -> Turn {
    Turn { key: Some("k".into()), limit: Some(limit), when_full, ..Turn::default() }
}

fn debounced(seconds: u64) -> Turn {
    let debounce = Some(Duration::from_secs(seconds));
    Turn { key: Some("k".into()), debounce, ..Turn::default() }
}

async fn accept(kit: &Kit, turn: Turn) -> (RunId, Accepted) {
    accept_at(kit, turn, Timestamp(10_000)).await
}

async fn accept_at(kit: &Kit, turn: Turn, queued_at: Timestamp) -> (RunId, Accepted) {
    let run = NewRun { turn, queued_at, ..kit.run() };
    (run.id.clone(), kit.accept_one(Kit::plain(run)).await)
}

async fn queue(kit: &Kit, turn: Turn) -> RunId {
    let (run, accepted) = accept(kit, turn).await;
    assert_eq!(accepted, Accepted::Queued);
    run
}

fn ids(claims: &[Claim]) -> Vec<RunId> {
    claims.iter().map(|claim| claim.run.id.clone()).collect()
}

async fn standing(kit: &Kit, run: &RunId) -> Standing {
    kit.standings(vec![run.clone()], true).await.unwrap().remove(0)
}

async fn summary(kit: &Kit, run: &RunId) -> (State, Option<Reason>, Option<RunId>) {
    let summary = (**kit).run(run).await.unwrap().summary;
    (summary.state, summary.reason, summary.yields_to)
}

pub(crate) async fn a_key_lets_in_as_many_as_it_takes(place: &dyn Place) {
    let kit = Kit::new(place).await;
    let mut runs = Vec::new();
    for _ in 0..4 {
        runs.push(queue(&kit, keyed(2, WhenFull::Queue)).await);
    }
    let other = queue(&kit, Turn { key: Some("other".into()), ..keyed(2, WhenFull::Queue) }).await;
    let claims = kit.claims("one", 9).await;
    assert_eq!(ids(&claims), [runs[0].clone(), runs[1].clone(), other]);
    assert!(kit.waiting().await.unwrap().is_empty(), "nothing that could be claimed");
    let expected =
        Standing::KeyFull { key: "k".into(), limit: 2, holders: runs[..2].to_vec(), ahead: 1 };
    assert_eq!(standing(&kit, &runs[3]).await, expected);
    let ready = kit.ready();
    kit.write(end(&claims[1], 1)).await;
    ready.notified().await;
    assert_eq!(ids(&kit.claims("one", 9).await), runs[2..3], "in order, one for one");
    kit.write(cancel(&runs[3])).await;
    kit.write(end(&claims[0], 1)).await;
    assert!(kit.claims("one", 9).await.is_empty());
}

pub(crate) async fn a_key_is_kept_through_waits_releases_and_restarts(place: &dyn Place) {
    let kit = Kit::new(place).await;
    let first = queue(&kit, keyed(1, WhenFull::Queue)).await;
    let second = queue(&kit, keyed(1, WhenFull::Queue)).await;
    let claim = kit.claim_one("one").await;
    kit.write(append(&claim, 1, one_entry(0))).await;
    kit.write(release(&claim, false)).await;
    let claim = kit.claim_one("one").await;
    assert_eq!(claim.run.id, first);
    assert_eq!(claim.run.turn, keyed(1, WhenFull::Queue));
    kit.write(sleep(&claim, 2, 1, 99_000_000)).await;
    kit.write(suspend(&claim, 1)).await;
    assert!(kit.claims("one", 9).await.is_empty(), "a run that waits keeps its key");
    let kit = kit.reopen(place).await;
    assert!(kit.claims("one", 9).await.is_empty(), "through a restart, too");
    kit.write(cancel(&first)).await;
    let claim = kit.claim_one("one").await;
    assert_eq!(claim.run.id, second);
    kit.write(append(&claim, 1, one_entry(0))).await;
    let third = queue(&kit, keyed(1, WhenFull::Queue)).await;
    let kit = kit.reopen(place).await;
    let claims = kit.claims("one", 9).await;
    assert_eq!(ids(&claims), std::slice::from_ref(&second), "what ran goes on");
    kit.write(release(&claims[0], false)).await;
    let kit = kit.reopen(place).await;
    let claims = kit.claims("one", 9).await;
    assert_eq!(ids(&claims), [second], "what had begun goes on with its key");
    kit.write(end(&claims[0], 2)).await;
    assert_eq!(ids(&kit.claims("one", 9).await), [third]);
}

pub(crate) async fn a_full_key_skips(place: &dyn Place) {
    let kit = Kit::new(place).await;
    let first = queue(&kit, keyed(1, WhenFull::Skip)).await;
    let (second, accepted) = accept(&kit, keyed(1, WhenFull::Skip)).await;
    assert_eq!(accepted, Accepted::Skipped, "also while the first one only waits");
    let skipped = (State::Skipped, Some(Reason::ConcurrencyLimit), Some(first.clone()));
    assert_eq!(summary(&kit, &second).await, skipped);
    let kit = kit.reopen(place).await;
    assert_eq!(accept(&kit, keyed(1, WhenFull::Skip)).await.1, Accepted::Skipped);
    let claim = kit.claim_one("one").await;
    assert_eq!(claim.run.id, first);
    // The end and the next run in one batch of the writer: each sees what was before it.
    let (_, (_, accepted)) =
        tokio::join!(kit.write(end(&claim, 1)), accept(&kit, keyed(1, WhenFull::Skip)));
    assert_eq!(accepted, Accepted::Queued);
}

pub(crate) async fn a_called_run_that_is_skipped_fails_its_call(place: &dyn Place) {
    let kit = Kit::new(place).await;
    let caller = kit.claimed().await;
    let call = |ordinal: u32| {
        let mut run = run_in("two", kit.deployment);
        run.turn = keyed(1, WhenFull::Skip);
        run.trigger = Trigger::Call {
            caller: "one/f".parse().unwrap(),
            run: caller.run.id.clone(),
            service: None,
        };
        let record = record(&caller.run, "two");
        let call = NewCall { run, queue_bound: 10, record, wait: true, until: None };
        let effect = InternalEffect::Call(Box::new(call));
        kit.write(perform(&caller, ordinal + 1, ordinal, effect))
    };
    assert_eq!(call(0).await, Written::Done(Some(Outcome::Pending)));
    let Written::Done(Some(Outcome::Failed(failure))) = call(1).await else { panic!() };
    assert!(failure.message.contains("when_full: skip"), "{}", failure.message);
    assert_eq!(kit.claims("two", 9).await.len(), 1);
}

pub(crate) async fn a_newer_run_takes_the_place_of_a_running_one(place: &dyn Place) {
    let kit = Kit::new(place).await;
    let turn = || keyed(1, WhenFull::CancelRunning);
    let first = queue(&kit, turn()).await;
    let claim = kit.claim_one("one").await;
    let second = queue(&kit, turn()).await;
    assert_eq!(kit.displaced().await.unwrap(), [Displaced::Cancel(first.clone())]);
    let third = queue(&kit, turn()).await;
    let told = kit.displaced().await.unwrap();
    let [Displaced::Ended { run, .. }] = &told[..] else { panic!("{told:?}") };
    assert_eq!(*run, second);
    let replaced = (State::Skipped, Some(Reason::Superseded), Some(third.clone()));
    assert_eq!(summary(&kit, &second).await, replaced);
    assert!(kit.claims("one", 9).await.is_empty(), "not before the end of the first");
    kit.write(end_with(&claim, 1, Ending::Cancelled)).await;
    let cancelled = (State::Cancelled, Some(Reason::Superseded), Some(second));
    assert_eq!(summary(&kit, &first).await, cancelled);
    assert_eq!(ids(&kit.claims("one", 9).await), [third]);
}

pub(crate) async fn a_run_that_must_yield_yields_as_its_successor_too(place: &dyn Place) {
    let kit = Kit::new(place).await;
    let turn = || keyed(1, WhenFull::CancelRunning);
    let first = queue(&kit, turn()).await;
    let claim = kit.claim_one("one").await;
    let second = queue(&kit, turn()).await;
    assert_eq!(kit.displaced().await.unwrap(), [Displaced::Cancel(first.clone())]);
    let trigger = Trigger::Continue { of: first, root: None };
    let successor = NewRun { trigger, turn: turn(), ..kit.run() };
    let next = successor.id.clone();
    kit.write(succeed_by(&claim, 1, successor)).await;
    assert_eq!(kit.displaced().await.unwrap(), [Displaced::Cancel(next.clone())]);
    kit.write(cancel(&next)).await;
    let cancelled = (State::Cancelled, Some(Reason::Superseded), Some(second.clone()));
    assert_eq!(summary(&kit, &next).await, cancelled);
    let claim = kit.claim_one("one").await;
    assert_eq!(claim.run.id, second);
    // One with another key is in nobody's way.
    queue(&kit, turn()).await;
    kit.displaced().await.unwrap();
    let turn = Turn { key: Some("other".to_owned()), ..turn() };
    let trigger = Trigger::Continue { of: second, root: None };
    let successor = NewRun { trigger, turn, ..kit.run() };
    let next = successor.id.clone();
    kit.write(succeed_by(&claim, 1, successor)).await;
    assert_eq!(kit.claims("one", 9).await.len(), 2);
    assert_eq!(summary(&kit, &next).await.2, None);
}

pub(crate) async fn what_must_yield_is_told_again_after_a_restart(place: &dyn Place) {
    let kit = Kit::new(place).await;
    let turn = || keyed(1, WhenFull::CancelRunning);
    let first = queue(&kit, turn()).await;
    let claim = kit.claim_one("one").await;
    kit.write(sleep(&claim, 1, 0, 99_000_000)).await;
    kit.write(suspend(&claim, 0)).await;
    let second = queue(&kit, turn()).await;
    let kit = kit.reopen(place).await;
    assert_eq!(kit.displaced().await.unwrap(), [Displaced::Cancel(first.clone())]);
    assert!(kit.claims("one", 9).await.is_empty());
    kit.write(cancel(&first)).await;
    assert_eq!(ids(&kit.claims("one", 9).await), std::slice::from_ref(&second));
    let cancelled = (State::Cancelled, Some(Reason::Superseded), Some(second));
    assert_eq!(summary(&kit, &first).await, cancelled);
}

pub(crate) async fn a_debounced_run_waits_and_is_replaced(place: &dyn Place) {
    let kit = Kit::new(place).await;
    let first = queue(&kit, debounced(30)).await;
    let due = Timestamp(30_010_000);
    assert_eq!(standing(&kit, &first).await, Standing::Debounced { until: due });
    assert_eq!(kit.next_due(), Some(due));
    let second = queue(&kit, debounced(30)).await;
    let told = kit.displaced().await.unwrap();
    assert!(matches!(&told[..], [Displaced::Ended { run, .. }] if *run == first), "{told:?}");
    let replaced = (State::Skipped, Some(Reason::Superseded), Some(second.clone()));
    assert_eq!(summary(&kit, &first).await, replaced);
    let kit = kit.reopen(place).await;
    assert_eq!(standing(&kit, &second).await, Standing::Debounced { until: due });
    assert!(kit.waiting().await.unwrap().is_empty());
    // The clock stands at 15 ms: the debounce of a run that came 40 s before is over.
    let earlier = Timestamp(-40_000_000);
    let other = Turn { key: Some("other".into()), ..debounced(30) };
    let (over, _) = accept_at(&kit, other.clone(), earlier).await;
    assert_eq!(kit.waiting().await.unwrap().len(), 1);
    assert_eq!(ids(&kit.claims("one", 9).await), std::slice::from_ref(&over));
    let (_, accepted) = accept_at(&kit, other, Timestamp(-5_000_000)).await;
    assert_eq!(accepted, Accepted::Queued);
    assert_eq!(kit.state(&over).await, State::Running, "what is over is not replaced");
}

pub(crate) async fn a_debounce_ends_however_many_come(place: &dyn Place) {
    let kit = Kit::new(place).await;
    let mut last = None;
    for second in 0..12_i64 {
        let (run, _) = accept_at(&kit, debounced(2), Timestamp(1_000_000 * second)).await;
        last = Some(run);
    }
    let until = standing(&kit, &last.unwrap()).await;
    assert_eq!(until, Standing::Debounced { until: Timestamp(13_000_000) });
    let mut last = None;
    for second in 12..21_i64 {
        let (run, _) = accept_at(&kit, debounced(2), Timestamp(1_000_000 * second)).await;
        last = Some(run);
    }
    let until = standing(&kit, &last.unwrap()).await;
    assert_eq!(until, Standing::Debounced { until: Timestamp(22_000_000) }, "a new one began");
    assert_eq!(
        kit.next_due(),
        Some(Timestamp(20_000_000)),
        "ten times two seconds after the first"
    );
}

pub(crate) async fn higher_priority_goes_first_until_others_waited_long(place: &dyn Place) {
    let kit = Kit::new(place).await;
    let urgent = |priority| Turn { priority, ..Turn::default() };
    let minute = 60_000_000;
    let mut order = Vec::new();
    for (priority, at) in [(0, 0), (-10, 0), (10, 1), (10, 10 * minute + 1), (1, minute - 1)] {
        order.push(accept_at(&kit, urgent(priority), Timestamp(at)).await.0);
    }
    let expected = [2, 0, 3, 4, 1].map(|at: usize| order[at].clone());
    let kit = kit.reopen(place).await;
    assert_eq!(ids(&kit.claims("one", 9).await), expected);
}

pub(crate) async fn the_urgent_run_of_a_key_goes_first(place: &dyn Place) {
    let kit = Kit::new(place).await;
    let plain = queue(&kit, keyed(1, WhenFull::Queue)).await;
    let urgent = queue(&kit, Turn { priority: 5, ..keyed(1, WhenFull::Queue) }).await;
    let claims = kit.claims("one", 9).await;
    assert_eq!(ids(&claims), [urgent], "although the other one was first");
    kit.write(end(&claims[0], 1)).await;
    assert_eq!(ids(&kit.claims("one", 9).await), [plain]);
}

pub(crate) async fn queues_show_what_runs_and_waits(place: &dyn Place) {
    let kit = Kit::new(place).await;
    let first = queue(&kit, keyed(1, WhenFull::Queue)).await;
    let second = queue(&kit, keyed(1, WhenFull::Queue)).await;
    kit.claim_one("one").await;
    let third = kit.queued().await.id;
    let view = kit.queues(None, 10).await.unwrap().remove(0);
    assert_eq!((view.running, view.queued, view.ready), (1, 2, 1));
    assert_eq!((view.runs[0].id.clone(), view.next[0].id.clone()), (first.clone(), third));
    assert_eq!((&view.keys[0].holders, &view.keys[0].queued), (&vec![first], &vec![second]));
    assert!(kit.queues(Some("two".parse().unwrap()), 10).await.unwrap().is_empty());
}

/// One thing that is done.
#[derive(Debug, Clone, Copy)]
enum Action {
    Accept(WhenFull, u8),
    Claim,
    Suspend(usize),
    Release(usize),
    End(usize),
    Cancel(usize),
    Reopen,
}

fn actions() -> impl Strategy<Value = Vec<Action>> {
    let run = 0..8_usize;
    let when_full = (0..3_usize).prop_map(|at| WhenFull::ALL[at]);
    let action = prop_oneof![
        4 => (when_full, 0..2_u8).prop_map(|(when_full, key)| Action::Accept(when_full, key)),
        3 => Just(Action::Claim),
        1 => run.clone().prop_map(Action::Suspend),
        1 => run.clone().prop_map(Action::Release),
        3 => run.clone().prop_map(Action::End),
        1 => run.prop_map(Action::Cancel),
        1 => Just(Action::Reopen),
    ];
    prop::collection::vec(action, 400)
}

pub(crate) async fn no_key_is_ever_over_its_limit(place: &dyn Place) {
    let mut runner = TestRunner::deterministic();
    let actions = actions().new_tree(&mut runner).unwrap().current();
    let mut kit = Kit::new(place).await;
    let mut all: Vec<(RunId, u8)> = Vec::new();
    let mut begun: BTreeSet<RunId> = BTreeSet::new();
    let mut claims: Vec<Claim> = Vec::new();
    for action in actions {
        match action {
            Action::Accept(when_full, key) => {
                let turn = Turn { key: Some(key.to_string()), ..keyed(2, when_full) };
                all.push((accept(&kit, turn).await.0, key));
            }
            Action::Claim => {
                for claim in kit.claims("one", 2).await {
                    begun.insert(claim.run.id.clone());
                    kit.write(append(&claim, claim.next_chunk, one_entry(0))).await;
                    claims.push(claim);
                }
            }
            Action::Suspend(at) if at < claims.len() => {
                kit.write(suspend(&claims.remove(at), 9)).await;
            }
            Action::Release(at) if at < claims.len() => {
                kit.write(release(&claims.remove(at), false)).await;
            }
            Action::End(at) if at < claims.len() => {
                let claim = claims.remove(at);
                kit.write(end(&claim, claim.next_chunk + 1)).await;
            }
            Action::Cancel(at) => {
                if let Some((run, _)) = all.iter().rev().nth(at) {
                    kit.write(cancel(run)).await;
                }
            }
            Action::Reopen => {
                kit = kit.reopen(place).await;
                claims.clear();
            }
            Action::Suspend(_) | Action::Release(_) | Action::End(_) => {}
        }
        within_limits(&kit, &all, &begun).await;
    }
}

/// Of each key, at most two runs have begun and not ended; and when something waits for a key that
/// is not full, something can be claimed.
async fn within_limits(kit: &Kit, all: &[(RunId, u8)], begun: &BTreeSet<RunId>) {
    let mut open = [0; 2];
    let mut queued = [0; 2];
    for (run, key) in all.iter().rev().take(200) {
        let state = kit.state(run).await;
        if begun.contains(run) && !state.is_terminal() {
            open[usize::from(*key)] += 1;
        } else if state == State::Queued {
            queued[usize::from(*key)] += 1;
        }
    }
    assert!(open.iter().all(|open| *open <= 2), "{open:?}");
    let ready = kit.waiting().await.unwrap().iter().map(|waiting| waiting.runs).sum::<usize>();
    let stuck = (0..2).any(|key| open[key] < 2 && queued[key] > 0);
    assert!(!stuck || ready > 0, "{open:?} {queued:?}");
}

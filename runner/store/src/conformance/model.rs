//! Random writes against a small model of states and counts.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use signalbox_core::RunId;
use signalbox_core::clock::Timestamp;
use signalbox_core::journal::Outcome;
use signalbox_core::run::{Reason, State};

use super::kit::{cancel, key, one_entry, release, retry, sleep, succeed_by};
use super::{Kit, Place, append, end};
use crate::contract::{Claim, Write, Written};

/// One thing that is done to the run with a number.
#[derive(Debug, Clone, Copy)]
enum Action {
    Accept,
    Claim,
    Append(usize),
    Suspend(usize),
    Sleep(usize),
    Retry(usize),
    Continue(usize),
    Tick,
    Release(usize),
    End(usize),
    Cancel(usize),
    Reopen,
}

fn actions() -> impl Strategy<Value = Vec<Action>> {
    let run = 0..6_usize;
    let action = prop_oneof![
        3 => Just(Action::Accept),
        4 => Just(Action::Claim),
        3 => run.clone().prop_map(Action::Append),
        1 => run.clone().prop_map(Action::Suspend),
        2 => run.clone().prop_map(Action::Sleep),
        1 => run.clone().prop_map(Action::Retry),
        1 => run.clone().prop_map(Action::Continue),
        1 => Just(Action::Tick),
        1 => run.clone().prop_map(Action::Release),
        2 => run.clone().prop_map(Action::End),
        1 => run.prop_map(Action::Cancel),
        1 => Just(Action::Reopen),
    ];
    prop::collection::vec(action, 400)
}

struct Modelled {
    id: RunId,
    state: State,
    /// The last claim, and whether it still holds.
    claim: Option<(Claim, bool)>,
    chunks: u32,
    attempt: u32,
    /// Moments that it waits for, by ordinal.
    waits: Vec<(u32, i64)>,
    /// Ordinals of those that whoever has it does not know to have come.
    asked: Vec<u32>,
    retry: Option<i64>,
}

impl Modelled {
    /// What a write of a claim that is gone is answered with.
    fn refusal(&self) -> Written {
        if self.state.is_terminal() { Written::Rejected } else { Written::Fenced }
    }
}

pub(crate) async fn random_writes_agree_with_a_small_model(place: &dyn Place) {
    let mut runner = TestRunner::deterministic();
    let actions = actions().new_tree(&mut runner).unwrap().current();
    let mut kit = Kit::new(place).await;
    let mut runs: Vec<Modelled> = Vec::new();
    let mut now = 0;
    for action in actions {
        match action {
            Action::Accept => {
                let id = kit.queued().await.id;
                runs.push(modelled(id));
            }
            Action::Tick => {
                now += 10;
                tick(&kit, &mut runs, now).await;
            }
            Action::Claim => claim(&kit, &mut runs).await,
            Action::Reopen => {
                kit = kit.reopen(place).await;
                for run in &mut runs {
                    if run.state == State::Running {
                        run.state = State::Queued;
                    }
                    run.claim = run.claim.take().map(|(claim, _)| (claim, false));
                }
            }
            write => write_one(&kit, &mut runs, write, now).await,
        }
        check(&kit, &runs, now).await;
    }
}

fn modelled(id: RunId) -> Modelled {
    Modelled {
        id,
        state: State::Queued,
        claim: None,
        chunks: 0,
        attempt: 1,
        waits: Vec::new(),
        asked: Vec::new(),
        retry: None,
    }
}

/// Time goes on: each wait whose moment has come ends, once.
async fn tick(kit: &Kit, runs: &mut [Modelled], now: i64) {
    let expired = kit.expire(Timestamp(now)).await.unwrap();
    let mut answers: Vec<_> =
        expired.answers.into_iter().map(|a| (a.run, a.key.ordinal, a.woken)).collect();
    let mut retried: Vec<_> = expired.retried.into_iter().map(|named| named.run).collect();
    let mut expected = (Vec::new(), Vec::new());
    for run in runs.iter_mut() {
        let mut due: Vec<_> = run.waits.extract_if(.., |(_, until)| *until <= now).collect();
        due.sort_by_key(|(_, until)| *until);
        for (ordinal, _) in due {
            let woken = run.state == State::Suspended && run.retry.is_none();
            if woken {
                run.state = State::Queued;
            }
            expected.0.push((run.id.clone(), ordinal, woken));
        }
        if run.retry.take_if(|until| *until <= now).is_some() {
            run.state = State::Queued;
            run.attempt += 1;
            expected.1.push(run.id.clone());
        }
    }
    for list in [&mut answers, &mut expected.0] {
        list.sort();
    }
    retried.sort();
    expected.1.sort();
    assert_eq!((answers, retried), expected);
}

async fn claim(kit: &Kit, runs: &mut [Modelled]) {
    let claims = kit.claims("one", 1).await;
    let waiting = runs.iter().filter(|run| run.state == State::Queued).count();
    assert_eq!(claims.len(), waiting.min(1));
    for claim in claims {
        let run = runs.iter_mut().find(|run| run.id == claim.run.id).unwrap();
        assert_eq!(run.state, State::Queued);
        assert_eq!((claim.next_chunk, claim.attempt), (run.chunks + 1, run.attempt));
        run.state = State::Running;
        run.asked = run.waits.iter().map(|(ordinal, _)| *ordinal).collect();
        run.claim = Some((claim, true));
    }
}

async fn write_one(kit: &Kit, runs: &mut Vec<Modelled>, action: Action, now: i64) {
    let (Action::Append(at)
    | Action::Suspend(at)
    | Action::Sleep(at)
    | Action::Retry(at)
    | Action::Continue(at)
    | Action::Release(at)
    | Action::End(at)
    | Action::Cancel(at)) = action
    else {
        return;
    };
    let from_the_end = runs.len().checked_sub(at + 1);
    let Some(run) = from_the_end.and_then(|at| runs.get_mut(at)) else { return };
    if let Action::Cancel(_) = action {
        return cancel_one(kit, run).await;
    }
    let Some((claim, holds)) = run.claim.clone() else { return };
    let number = run.chunks + 1;
    let successor = kit.run();
    let until = now + 5 + i64::from(number % 4) * 10;
    let suspended = |reason, until| Written::Suspended { reason, until };
    let (write, after, done): (Write, State, Written) = match action {
        Action::Append(_) => {
            (append(&claim, number, one_entry(number)), State::Running, Written::Done(None))
        }
        Action::Sleep(_) => (
            sleep(&claim, number, number, until),
            State::Running,
            Written::Done(Some(Outcome::Pending)),
        ),
        Action::Suspend(_) => {
            // A run without a wait would never be woken, and one with an answer has something to do.
            let first = run.waits.iter().map(|(_, until)| *until).min();
            let write = suspend_all(&claim, run);
            match first.filter(|_| run.asked.len() == run.waits.len()) {
                Some(first) => {
                    let until = Some(Timestamp(first));
                    (write, State::Suspended, suspended(Reason::WaitingUntil, until))
                }
                None => (write, State::Queued, Written::Woken),
            }
        }
        Action::Retry(_) => {
            let write = retry(&claim, number, until);
            let until = Some(Timestamp(until));
            (write, State::Suspended, suspended(Reason::WaitingRetry, until))
        }
        Action::Continue(_) => {
            let write = succeed_by(&claim, number, successor.clone());
            (write, State::Succeeded, Written::Done(None))
        }
        Action::Release(_) => (release(&claim, false), State::Queued, Written::Done(None)),
        _ => (end(&claim, number), State::Succeeded, Written::Done(None)),
    };
    let expected = if holds { done } else { run.refusal() };
    assert_eq!(kit.write(write).await, expected, "{action:?} of {run}", run = run.id);
    if !holds {
        return;
    }
    run.state = after;
    run.chunks += u32::from(after == State::Running);
    run.claim = Some((claim, after == State::Running));
    match action {
        Action::Sleep(_) => {
            run.waits.push((number, until));
            run.asked.push(number);
        }
        Action::Retry(_) => {
            run.waits.clear();
            run.retry = Some(until);
        }
        _ => {}
    }
    if after.is_terminal() {
        run.waits.clear();
    }
    if let Action::Continue(_) = action {
        runs.push(modelled(successor.id));
    }
}

/// Suspends a run for all that it waits for, as far as whoever has it knows.
fn suspend_all(claim: &Claim, run: &Modelled) -> Write {
    let waits_for = run.asked.iter().map(|ordinal| key(*ordinal)).collect();
    Write::Suspend { run: run.id.clone(), epoch: claim.epoch, waits_for, active_us: 11 }
}

async fn cancel_one(kit: &Kit, run: &mut Modelled) {
    let expected = match (run.state, &run.claim) {
        (state, _) if state.is_terminal() => Written::Rejected,
        (_, Some((_, true))) => Written::Claimed,
        _ => Written::Done(None),
    };
    assert_eq!(kit.write(cancel(&run.id)).await, expected);
    if expected == Written::Done(None) {
        run.state = State::Cancelled;
        run.waits.clear();
        run.retry = None;
    }
}

async fn check(kit: &Kit, runs: &[Modelled], now: i64) {
    let mut expected: BTreeMap<State, u64> = BTreeMap::new();
    for run in runs {
        *expected.entry(run.state).or_default() += 1;
    }
    let counts = kit.counts().await.unwrap();
    let counted = counts.first().map(|counts| counts.runs.clone()).unwrap_or_default();
    assert_eq!(counted, expected);
    for run in runs.iter().rev().take(8) {
        assert_eq!(kit.state(&run.id).await, run.state);
    }
    // No run waits without somebody being woken for it in time.
    let waits = runs.iter().flat_map(|run| run.waits.iter().map(|(_, until)| *until));
    let next = waits.chain(runs.iter().filter_map(|run| run.retry)).min();
    let due = *kit.due().borrow();
    assert!(next.is_none_or(|next| due.is_some_and(|due| due.0 <= next)), "{due:?} at {now}");
}

//! Random writes against a small model of states and counts.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use signalbox_core::RunId;
use signalbox_core::run::State;

use super::kit::{cancel, one_entry, release, suspend};
use super::{Kit, Place, append, end};
use crate::contract::{Claim, Write, Written};

/// One thing that is done to the run with a number.
#[derive(Debug, Clone, Copy)]
enum Action {
    Accept,
    Claim,
    Append(usize),
    Suspend(usize),
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
}

impl Modelled {
    /// What a write of the last claim must be answered with, before its effect.
    fn answer(&self) -> Written {
        match &self.claim {
            Some((_, true)) => Written::Done(None),
            _ if self.state.is_terminal() => Written::Rejected,
            _ => Written::Fenced,
        }
    }
}

pub(crate) async fn random_writes_agree_with_a_small_model(place: &dyn Place) {
    let mut runner = TestRunner::deterministic();
    let actions = actions().new_tree(&mut runner).unwrap().current();
    let mut kit = Kit::new(place).await;
    let mut runs: Vec<Modelled> = Vec::new();
    for action in actions {
        match action {
            Action::Accept => {
                let id = kit.queued().await.id;
                runs.push(Modelled { id, state: State::Queued, claim: None, chunks: 0 });
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
            write => write_one(&kit, &mut runs, write).await,
        }
        check(&kit, &runs).await;
    }
}

async fn claim(kit: &Kit, runs: &mut [Modelled]) {
    let claims = kit.claims("one", 1).await;
    let waiting = runs.iter().filter(|run| run.state == State::Queued).count();
    assert_eq!(claims.len(), waiting.min(1));
    for claim in claims {
        let run = runs.iter_mut().find(|run| run.id == claim.run.id).unwrap();
        assert_eq!(run.state, State::Queued);
        assert_eq!(claim.next_chunk, run.chunks + 1);
        run.state = State::Running;
        run.claim = Some((claim, true));
    }
}

async fn write_one(kit: &Kit, runs: &mut [Modelled], action: Action) {
    let (Action::Append(at)
    | Action::Suspend(at)
    | Action::Release(at)
    | Action::End(at)
    | Action::Cancel(at)) = action
    else {
        return;
    };
    let from_the_end = runs.len().checked_sub(at + 1);
    let Some(run) = from_the_end.and_then(|at| runs.get_mut(at)) else { return };
    if let Action::Cancel(_) = action {
        let expected = match (run.state, &run.claim) {
            (state, _) if state.is_terminal() => Written::Rejected,
            (_, Some((_, true))) => Written::Claimed,
            _ => Written::Done(None),
        };
        assert_eq!(kit.write(cancel(&run.id)).await, expected);
        if expected == Written::Done(None) {
            run.state = State::Cancelled;
        }
        return;
    }
    let Some((claim, _)) = run.claim.clone() else { return };
    let number = run.chunks + 1;
    let (write, after): (Write, State) = match action {
        Action::Append(_) => (append(&claim, number, one_entry(number)), State::Running),
        Action::Suspend(_) => (suspend(&claim, 500), State::Suspended),
        Action::Release(_) => (release(&claim, false), State::Queued),
        _ => (end(&claim, number), State::Succeeded),
    };
    let expected = run.answer();
    assert_eq!(kit.write(write).await, expected, "{action:?} of {run}", run = run.id);
    if expected == Written::Done(None) {
        run.state = after;
        run.chunks += u32::from(after == State::Running);
        run.claim = Some((claim, after == State::Running));
    }
}

async fn check(kit: &Kit, runs: &[Modelled]) {
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
}

//! Slots of schedules, runs of one schedule that meet, and pauses.

use std::sync::Arc;

use signalbox_core::RunId;
use signalbox_core::catalog::Workspace;
use signalbox_core::clock::Timestamp;
use signalbox_core::run::{Ending, NewRun, Reason, State, Trigger};
use signalbox_core::schedule::{Overlap, Schedule};
use signalbox_core::turn::{Turn, WhenFull};

use super::kit::{cancel, end, end_with, new_deployment, schedule, spec, succeed_by};
use super::{Kit, Place};
use crate::contract::{Accept, Accepted, DeploymentOutcome, Error, Pausable, ScheduleKey, Written};

fn slot(kit: &Kit, at: i64, overlap: Overlap) -> (RunId, Accept) {
    let mut accept = Kit::slot(kit.run(), at);
    accept.slot.iter_mut().for_each(|slot| slot.overlap = overlap);
    (accept.run.id.clone(), accept)
}

async fn fire(kit: &Kit, at: i64, overlap: Overlap) -> (RunId, Accepted) {
    let (id, accept) = slot(kit, at, overlap);
    (id, kit.accept_one(accept).await)
}

async fn reason(kit: &Kit, run: &RunId) -> Option<Reason> {
    (**kit).run(run).await.unwrap().summary.reason
}

pub(crate) async fn a_slot_is_skipped_while_an_earlier_run_has_not_ended(place: &dyn Place) {
    let kit = Kit::new(place).await;
    assert_eq!(fire(&kit, 50_000, Overlap::Skip).await.1, Accepted::Queued);
    let (second, accepted) = fire(&kit, 60_000, Overlap::Skip).await;
    assert_eq!(accepted, Accepted::Skipped);
    assert_eq!(kit.state(&second).await, State::Skipped);
    assert_eq!(reason(&kit, &second).await, Some(Reason::Overlap));
    assert_eq!(fire(&kit, 60_000, Overlap::Skip).await.1, Accepted::Stale, "it is used up");
    let claim = kit.claim_one("one").await;
    assert_eq!(fire(&kit, 70_000, Overlap::Skip).await.1, Accepted::Skipped);
    kit.write(end(&claim, 1)).await;
    assert_eq!(fire(&kit, 80_000, Overlap::Skip).await.1, Accepted::Queued);
    // A run that `dynamic` did not want has ended, too.
    let claim = kit.claim_one("one").await;
    kit.write(end_with(&claim, 1, Ending::Skipped(Reason::NotWanted))).await;
    assert_eq!(reason(&kit, &claim.run.id).await, Some(Reason::NotWanted));
    assert_eq!(fire(&kit, 90_000, Overlap::Skip).await.1, Accepted::Queued);
}

pub(crate) async fn runs_of_a_schedule_wait_for_each_other(place: &dyn Place) {
    let kit = Kit::new(place).await;
    let mut runs = Vec::new();
    for at in [50_000, 60_000, 70_000] {
        let (run, accepted) = fire(&kit, at, Overlap::Queue).await;
        assert_eq!(accepted, Accepted::Queued);
        runs.push(run);
    }
    assert_eq!(reason(&kit, &runs[1]).await, Some(Reason::WaitingOverlap));
    for run in &runs {
        let claims = kit.claims("one", 9).await;
        assert_eq!(claims.len(), 1, "one after the other");
        assert_eq!((&claims[0].run.id, reason(&kit, run).await), (run, None));
        kit.write(end(&claims[0], 1)).await;
    }
    assert!(kit.claims("one", 9).await.is_empty());
}

pub(crate) async fn held_runs_survive_and_can_be_cancelled(place: &dyn Place) {
    let kit = Kit::new(place).await;
    let mut runs = Vec::new();
    for at in [50_000, 60_000, 70_000, 80_000] {
        runs.push(fire(&kit, at, Overlap::Queue).await.0);
    }
    let kit = kit.reopen(place).await;
    assert_eq!(kit.write(cancel(&runs[1])).await, Written::Done(None));
    let claims = kit.claims("one", 9).await;
    assert_eq!(claims.len(), 1, "the end of one that waited lets nobody go before its turn");
    assert_eq!(claims[0].run.id, runs[0]);
    let kit = kit.reopen(place).await;
    assert_eq!(kit.write(cancel(&runs[0])).await, Written::Done(None));
    for run in &runs[2..] {
        let claims = kit.claims("one", 9).await;
        assert_eq!(claims.len(), 1);
        assert_eq!(&claims[0].run.id, run);
        kit.write(end(&claims[0], 1)).await;
    }
}

pub(crate) async fn a_schedule_holds_back_as_many_as_a_queue_takes(place: &dyn Place) {
    let kit = Kit::new(place).await;
    let mut last = None;
    for (at, expected) in (5..).zip([Accepted::Queued, Accepted::Queued, Accepted::Queued]) {
        let (run, accept) = slot(&kit, at * 10_000, Overlap::Queue);
        assert_eq!(kit.accept_one(Accept { queue_bound: 2, ..accept }).await, expected);
        last = Some(run);
    }
    assert_eq!(reason(&kit, &last.unwrap()).await, Some(Reason::WaitingOverlap));
    let (run, accept) = slot(&kit, 80_000, Overlap::Queue);
    assert_eq!(kit.accept_one(Accept { queue_bound: 2, ..accept }).await, Accepted::Full);
    assert_eq!(kit.state(&run).await, State::Skipped);
    assert_eq!(reason(&kit, &run).await, Some(Reason::LimitExceeded));
}

pub(crate) async fn a_run_that_its_schedule_holds_back_takes_no_place_of_its_key(
    place: &dyn Place,
) {
    let kit = Kit::new(place).await;
    let when_full = WhenFull::Skip;
    let turn = Turn { key: Some("k".into()), limit: Some(2), when_full, ..Turn::default() };
    let accept = |mut accept: Accept| {
        accept.run.turn = turn.clone();
        kit.accept_one(accept)
    };
    assert_eq!(accept(slot(&kit, 50_000, Overlap::Queue).1).await, Accepted::Queued);
    let (held, second) = slot(&kit, 60_000, Overlap::Queue);
    assert_eq!(accept(second).await, Accepted::Queued);
    assert_eq!(reason(&kit, &held).await, Some(Reason::WaitingOverlap));
    assert_eq!(accept(Kit::plain(kit.run())).await, Accepted::Queued, "the key takes two");
    assert_eq!(accept(Kit::plain(kit.run())).await, Accepted::Skipped);
    let claims = kit.claims("one", 9).await;
    assert_eq!(claims.len(), 2);
    for claim in &claims {
        kit.write(end(claim, 1)).await;
    }
    assert_eq!(kit.claim_one("one").await.run.id, held, "and then it has its place");
    assert_eq!(accept(Kit::plain(kit.run())).await, Accepted::Queued);
    assert_eq!(accept(Kit::plain(kit.run())).await, Accepted::Skipped);
}

pub(crate) async fn a_slot_that_cancels_is_not_taken_before_the_earlier_run_has_ended(
    place: &dyn Place,
) {
    let kit = Kit::new(place).await;
    let (first, _) = fire(&kit, 50_000, Overlap::CancelRunning).await;
    let (second, accepted) = fire(&kit, 60_000, Overlap::CancelRunning).await;
    assert_eq!(accepted, Accepted::Overlaps(first.clone()));
    assert!(matches!((*kit).run(&second).await, Err(Error::NotFound(_))), "nothing is recorded");
    kit.write(cancel(&first)).await;
    assert_eq!(fire(&kit, 60_000, Overlap::CancelRunning).await.1, Accepted::Queued);
}

pub(crate) async fn overlap_follows_a_successor(place: &dyn Place) {
    let kit = Kit::new(place).await;
    fire(&kit, 50_000, Overlap::Skip).await;
    let mut claim = kit.claim_one("one").await;
    for at in [60_000, 70_000] {
        let trigger = Trigger::Continue { of: claim.run.id.clone(), root: None };
        let successor = NewRun { trigger, ..kit.run() };
        kit.write(succeed_by(&claim, 1, successor.clone())).await;
        assert_eq!(fire(&kit, at, Overlap::Skip).await.1, Accepted::Skipped, "it goes on");
        let cancelling = fire(&kit, at + 1, Overlap::CancelRunning).await.1;
        assert_eq!(cancelling, Accepted::Overlaps(successor.id.clone()));
        claim = kit.claim_one("one").await;
        assert_eq!(claim.run, successor);
    }
    let (behind, accepted) = fire(&kit, 80_000, Overlap::Queue).await;
    assert_eq!(accepted, Accepted::Queued);
    let kit = kit.reopen(place).await;
    assert_eq!(reason(&kit, &behind).await, Some(Reason::WaitingOverlap));
    let claims = kit.claims("one", 9).await;
    assert_eq!(claims.len(), 1, "it waits for the last successor");
    kit.write(end(&claims[0], 1)).await;
    assert_eq!(kit.claim_one("one").await.run.id, behind);
}

pub(crate) async fn held_runs_of_a_schedule_that_was_renamed_or_taken_away_go_on(
    place: &dyn Place,
) {
    let kit = Kit::new(place).await;
    let mut runs = Vec::new();
    for at in [50_000, 60_000, 70_000] {
        runs.push(fire(&kit, at, Overlap::Queue).await.0);
    }
    let mut renamed = spec("one");
    renamed.flows.values_mut().for_each(|flow| {
        flow.schedules.iter_mut().for_each(|schedule| schedule.name = Some("new".to_owned()));
    });
    let gone = Workspace { flows: [].into(), ..spec("one") };
    for (run, changed) in runs.iter().zip([renamed, gone, spec("one")]) {
        let mut new = new_deployment("one", DeploymentOutcome::Deployed);
        new.spec = Some(Arc::new(changed));
        kit.deploy(vec![new], vec![]).await.unwrap();
        let claims = kit.claims("one", 9).await;
        assert_eq!(claims.iter().map(|claim| &claim.run.id).collect::<Vec<_>>(), [run]);
        kit.write(end(&claims[0], 1)).await;
    }
    assert!(kit.claims("one", 9).await.is_empty());
}

fn key() -> ScheduleKey {
    ScheduleKey {
        workspace: "one".parse().unwrap(),
        flow: "f".parse().unwrap(),
        schedule: schedule().id(),
    }
}

async fn stands(kit: &Kit, key: &ScheduleKey) -> (Timestamp, Option<Timestamp>) {
    let states = kit.schedules().await.unwrap();
    let found = states.into_iter().find(|state| state.key == *key).unwrap();
    (found.last_slot, found.paused_at)
}

pub(crate) async fn slots_of_a_pause_are_not_owed(place: &dyn Place) {
    let kit = Kit::new(place).await;
    let schedule = Pausable::Schedule(key());
    assert!(kit.pause(schedule.clone(), Timestamp(5_000)).await.unwrap());
    assert!(!kit.pause(schedule.clone(), Timestamp(6_000)).await.unwrap(), "it is already");
    let kit = kit.reopen(place).await;
    assert_eq!(stands(&kit, &key()).await, (Timestamp(2_000), Some(Timestamp(5_000))));
    assert_eq!(fire(&kit, 50_000, Overlap::Skip).await.1, Accepted::Stale, "nothing fires");
    assert!(kit.resume(schedule.clone(), Timestamp(7_000)).await.unwrap());
    assert!(!kit.resume(schedule, Timestamp(8_000)).await.unwrap());
    assert_eq!(stands(&kit, &key()).await, (Timestamp(7_000), None));
    let workspace = Pausable::Workspace("one".parse().unwrap());
    assert!(kit.pause(workspace.clone(), Timestamp(9_000)).await.unwrap());
    let one = kit.live().await.unwrap().remove(0);
    assert_eq!(one.paused_at, Some(Timestamp(9_000)));
    assert_eq!(stands(&kit, &key()).await, (Timestamp(7_000), None));
    assert!(kit.resume(workspace, Timestamp(11_000)).await.unwrap());
    assert_eq!(stands(&kit, &key()).await, (Timestamp(11_000), None));
    assert_eq!(kit.live().await.unwrap().remove(0).paused_at, None);
}

pub(crate) async fn what_is_not_there_cannot_be_paused(place: &dyn Place) {
    let kit = Kit::new(place).await;
    let nobody = "nobody".parse().unwrap();
    let unknown = ScheduleKey { schedule: "unknown".into(), ..key() };
    for what in [
        Pausable::Workspace("nobody".parse().unwrap()),
        Pausable::Schedule(unknown),
        Pausable::Schedule(ScheduleKey { workspace: nobody, ..key() }),
    ] {
        let paused = kit.pause(what.clone(), Timestamp(5_000)).await;
        assert!(matches!(paused, Err(Error::NotFound(_))), "{what:?}");
        assert!(matches!(kit.resume(what, Timestamp(5_000)).await, Err(Error::NotFound(_))));
    }
}

pub(crate) async fn other_slots_than_before_are_not_owed_from_before(place: &dyn Place) {
    let kit = Kit::new(place).await;
    let deploy = async |cron: &str, at: i64| {
        let mut named = Schedule::cron(cron, "UTC");
        named.name = Some("morning".to_owned());
        let mut changed = spec("one");
        changed.flows.values_mut().for_each(|flow| flow.schedules = vec![named.clone()]);
        let mut new = new_deployment("one", DeploymentOutcome::Deployed);
        new.spec = Some(Arc::new(changed));
        new.ended_at = Timestamp(at);
        kit.deploy(vec![new], vec![]).await.unwrap();
        stands(&kit, &ScheduleKey { schedule: "morning".into(), ..key() }).await.0
    };
    assert_eq!(deploy("0 7 * * *", 10_000).await, Timestamp(10_000));
    assert_eq!(deploy("0 7 * * *", 20_000).await, Timestamp(10_000), "the same as before");
    assert_eq!(deploy("0 8 * * *", 30_000).await, Timestamp(30_000));
}

//! Accepting runs.

use std::time::Duration;

use signalbox_core::clock::Timestamp;
use signalbox_core::run::{Reason, State};
use signalbox_core::{DeploymentId, Digest};

use super::kit::{run_in, schedule};
use super::{Kit, Place};
use crate::contract::{Accept, Accepted, Error, IdempotencyKey, RunFilter, Waiting};

pub(crate) async fn accepted_runs_are_claimed_in_order(place: &dyn Place) {
    let kit = Kit::new(place).await;
    let runs: Vec<_> = (0..5).map(|_| kit.run()).collect();
    let batch = runs.iter().cloned().map(Kit::plain).collect();
    assert_eq!(kit.accept(batch).await.unwrap(), vec![Accepted::Queued; 5]);
    let other = run_in("two", kit.deployment);
    kit.accept_one(Kit::plain(other.clone())).await;
    let waiting = |name: &str, runs| Waiting { workspace: name.parse().unwrap(), runs };
    assert_eq!(kit.waiting().await.unwrap(), [waiting("one", 5), waiting("two", 1)]);
    let claims = kit.claims("one", 3).await;
    assert!(claims.iter().map(|claim| &claim.run).eq(&runs[..3]));
    assert!(claims.iter().all(|claim| {
        claim.attempt == 1 && claim.next_chunk == 1 && claim.started_at.is_none()
    }));
    assert_eq!(kit.claims("one", 9).await.len(), 2, "no run is claimed twice");
    assert_eq!(kit.claim_one("two").await.run, other);
    assert!(kit.claims("nobody", 9).await.is_empty());
    assert!(kit.waiting().await.unwrap().is_empty());
}

fn keyed(kit: &Kit, inputs: &[u8], at: Timestamp) -> Accept {
    let mut run = kit.run();
    run.queued_at = at;
    let key = IdempotencyKey { key: "k".into(), inputs: Digest::of(inputs) };
    Accept { idempotency: Some(key), ..Kit::plain(run) }
}

pub(crate) async fn a_known_key_starts_nothing_twice(place: &dyn Place) {
    let kit = Kit::new(place).await;
    let first = keyed(&kit, b"a", Timestamp(1));
    let id = first.run.id.clone();
    let mut elsewhere = keyed(&kit, b"a", Timestamp(1));
    elsewhere.run.flow = "g".parse().unwrap();
    let again = keyed(&kit, b"a", Timestamp(2));
    let batch = vec![first, again, keyed(&kit, b"b", Timestamp(3)), elsewhere];
    assert_eq!(
        kit.accept(batch).await.unwrap(),
        [Accepted::Queued, Accepted::Known(id.clone()), Accepted::Conflict(id), Accepted::Queued]
    );
    assert_eq!(kit.claims("one", 9).await.len(), 2);
}

pub(crate) async fn a_key_is_forgotten_after_seven_days(place: &dyn Place) {
    let kit = Kit::new(place).await;
    let week = Timestamp(0).plus(Duration::from_hours(7 * 24));
    let first = keyed(&kit, b"a", Timestamp(0));
    let id = first.run.id.clone();
    assert_eq!(kit.accept_one(first).await, Accepted::Queued);
    let late = keyed(&kit, b"a", Timestamp(week.0 - 1));
    assert_eq!(kit.accept_one(late).await, Accepted::Known(id));
    assert_eq!(kit.accept_one(keyed(&kit, b"b", week)).await, Accepted::Queued);
}

pub(crate) async fn a_slot_fires_once(place: &dyn Place) {
    let kit = Kit::new(place).await;
    let slots = [50_000, 50_000, 40_000, 60_000].map(|at| Kit::slot(kit.run(), at));
    assert_eq!(
        kit.accept(slots.into()).await.unwrap(),
        [Accepted::Queued, Accepted::Stale, Accepted::Stale, Accepted::Queued]
    );
    let kit = kit.reopen(place).await;
    assert_eq!(kit.accept_one(Kit::slot(kit.run(), 60_000)).await, Accepted::Stale);
    let slots = kit.last_slots().await;
    let of_one = slots.iter().find(|(key, _)| key.workspace.as_str() == "one").unwrap();
    assert_eq!((of_one.0.schedule.clone(), of_one.1), (schedule().id(), Timestamp(60_000)));
}

pub(crate) async fn a_full_queue_refuses_and_records_slots(place: &dyn Place) {
    let kit = Kit::new(place).await;
    let bounded = |accept| Accept { queue_bound: 2, ..accept };
    let batch = (0..3).map(|_| bounded(Kit::plain(kit.run()))).collect();
    assert_eq!(
        kit.accept(batch).await.unwrap(),
        [Accepted::Queued, Accepted::Queued, Accepted::Full]
    );
    let slot = Kit::slot(kit.run(), 50_000);
    let id = slot.run.id.clone();
    assert_eq!(kit.accept_one(bounded(slot)).await, Accepted::Full);
    let skipped = (*kit).run(&id).await.unwrap().summary;
    assert_eq!((skipped.state, skipped.reason), (State::Skipped, Some(Reason::LimitExceeded)));
    assert!(skipped.ended_at.is_some());
    let again = Kit::slot(kit.run(), 50_000);
    assert_eq!(kit.accept_one(again).await, Accepted::Stale, "the slot is used up");
    assert_eq!(kit.claims("one", 9).await.len(), 2);
    let accepted = kit.accept_one(bounded(Kit::plain(kit.run()))).await;
    assert_eq!(accepted, Accepted::Queued, "claimed runs do not wait");
}

pub(crate) async fn ready_is_notified(place: &dyn Place) {
    let kit = Kit::new(place).await;
    let ready = kit.ready();
    kit.queued().await;
    ready.notified().await;
}

pub(crate) async fn a_run_of_no_deployment_is_refused(place: &dyn Place) {
    let kit = Kit::new(place).await;
    let bad = run_in("one", DeploymentId(999));
    let batch = vec![Kit::plain(kit.run()), Kit::plain(bad)];
    assert!(matches!(kit.accept(batch).await, Err(Error::NotFound(_))));
    assert!(kit.claims("one", 9).await.is_empty());
    let listed = kit.runs(RunFilter { limit: 9, ..RunFilter::default() }).await.unwrap();
    assert!(listed.items.is_empty(), "a batch that fails leaves nothing");
}

//! What is forgotten and what is not.

use std::sync::Arc;
use std::time::Duration;

use signalbox_core::clock::Timestamp;
use signalbox_core::{DeploymentId, Digest};

use super::kit::{new_deployment, one_entry, run_in, spec};
use super::{Kit, Place, append, end};
use crate::contract::{Blob, DeploymentOutcome, Error, Pruned, Retention, RunFilter};

/// Everything that may be forgotten is.
const NOTHING: Retention = Retention { age: Duration::ZERO, runs: 0, deployments: 0 };
const LATE: Timestamp = Timestamp(1 << 50);

async fn ended(kit: &Kit, count: usize) {
    for _ in 0..count {
        let claim = kit.claimed().await;
        kit.commit(vec![append(&claim, 1, one_entry(1)), end(&claim, 2)]).await.unwrap();
    }
}

async fn listed(kit: &Kit) -> usize {
    let filter = RunFilter { limit: 1_000, ..RunFilter::default() };
    kit.runs(filter).await.unwrap().items.len()
}

pub(crate) async fn ended_runs_are_forgotten_by_age_and_number(place: &dyn Place) {
    let kit = Kit::new(place).await;
    ended(&kit, 5).await;
    let claimed = kit.claimed().await;
    let keep = Retention { age: Duration::from_micros(100), ..Retention::default() };
    let none = kit.prune(keep, Timestamp(30_100)).await.unwrap();
    assert_eq!(none, Pruned::default(), "not older than that");
    let keep_three = Retention { runs: 3, ..Retention::default() };
    assert_eq!(kit.prune(keep_three, Timestamp(30_000)).await.unwrap().runs, 2);
    assert_eq!(kit.prune(keep, Timestamp(30_101)).await.unwrap().runs, 3);
    assert_eq!(listed(&kit).await, 1);
    let runs = &kit.counts().await.unwrap()[0].runs;
    assert_eq!(runs.values().sum::<u64>(), 1, "counts follow");
    assert!(matches!(kit.journal(&kit.run().id).await, Err(Error::NotFound(_))));
    kit.commit(vec![end(&claimed, 1)]).await.unwrap();
    let before = kit.queued().await;
    kit.prune(NOTHING, LATE).await.unwrap();
    let kit = kit.reopen(place).await;
    assert_eq!(kit.claim_one("one").await.run, before, "what waits is never forgotten");
}

pub(crate) async fn what_is_referred_to_is_kept(place: &dyn Place) {
    let kit = Kit::new(place).await;
    let old = deploy_with(&kit, "one", "old").await;
    let unused = deploy_with(&kit, "one", "unused").await;
    let current = deploy_with(&kit, "one", "current").await;
    let run = run_in("one", old);
    kit.accept_one(Kit::plain(run)).await;
    let pruned = kit.prune(NOTHING, LATE).await.unwrap();
    assert_eq!(pruned, Pruned { runs: 0, deployments: 2, blobs: 1 });
    assert!(matches!(kit.deployment(unused).await, Err(Error::NotFound(_))));
    assert!(matches!(kit.blob(Digest::of(b"unused")).await, Err(Error::NotFound(_))));
    assert!(kit.deployment(old).await.is_ok());
    assert!(kit.blob(Digest::of(b"old")).await.is_ok());
    assert!(kit.blob(Digest::of(b"current")).await.is_ok());
    assert_eq!(kit.live().await.unwrap()[0].deployment, current);
    let gone = kit.accept(vec![Kit::plain(run_in("one", unused))]).await;
    assert!(matches!(gone, Err(Error::NotFound(_))));
    let claim = kit.claim_one("one").await;
    kit.write(end(&claim, 1)).await;
    let pruned = kit.prune(NOTHING, LATE).await.unwrap();
    assert_eq!(pruned, Pruned { runs: 1, deployments: 1, blobs: 1 });
}

async fn deploy_with(kit: &Kit, name: &str, content: &str) -> DeploymentId {
    let blob = Blob { digest: Digest::of(content.as_bytes()), content: content.as_bytes().into() };
    let mut with = spec(name);
    with.sources.insert("extra.rhai".into(), blob.digest);
    let mut new = new_deployment(name, DeploymentOutcome::Deployed);
    new.spec = Some(Arc::new(with));
    kit.deploy(vec![new], vec![blob]).await.unwrap()[0]
}

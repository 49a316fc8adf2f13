//! What a process that died, or was stopped, leaves to the next.

use signalbox_core::run::State;

use super::kit::{one_entry, suspend};
use super::{Kit, Place, append, end};
use crate::contract::{Error, RunFilter, Written};

pub(crate) async fn what_was_queued_or_running_is_queued_again(place: &dyn Place) {
    let kit = Kit::new(place).await;
    let (started, claimed) = (kit.claimed().await, kit.claimed().await);
    let queued = kit.queued().await;
    kit.write(append(&started, 1, one_entry(1))).await;
    let kit = kit.reopen(place).await;
    kit.ready().notified().await;
    for run in [&started.run, &claimed.run, &queued] {
        assert_eq!(kit.state(&run.id).await, State::Queued);
    }
    let counts = &kit.counts().await.unwrap()[0].runs;
    assert_eq!(counts.iter().collect::<Vec<_>>(), [(&State::Queued, &3)]);
    let claims = kit.claims("one", 9).await;
    assert_eq!(claims[0].run, started.run, "what was begun goes first");
    assert_eq!((claims[0].next_chunk, claims[0].lost_cells), (2, 0));
    let rest: Vec<_> = claims[1..].iter().map(|claim| claim.run.clone()).collect();
    assert_eq!(rest, [claimed.run, queued]);
}

pub(crate) async fn a_closed_store_says_so(place: &dyn Place) {
    let kit = Kit::new(place).await;
    let run = kit.queued().await;
    kit.close().await.unwrap();
    assert!(matches!(kit.close().await, Err(Error::Closed)));
    assert!(matches!(kit.accept(vec![Kit::plain(kit.run())]).await, Err(Error::Closed)));
    assert!(matches!(kit.claim(vec![]).await, Err(Error::Closed)));
    assert!(matches!(kit.waiting().await, Err(Error::Closed)));
    assert!(matches!(kit.runs(RunFilter::default()).await, Err(Error::Closed)));
    let kit = kit.reopen(place).await;
    assert_eq!(kit.claim_one("one").await.run, run);
}

pub(crate) async fn epochs_are_never_given_twice(place: &dyn Place) {
    let kit = Kit::new(place).await;
    let old = kit.claimed().await;
    let kit = kit.reopen(place).await;
    assert_eq!(kit.write(end(&old, 1)).await, Written::Fenced, "nobody has it");
    let new = kit.claim_one("one").await;
    assert!(new.epoch > old.epoch);
    assert_eq!(kit.write(end(&old, 1)).await, Written::Fenced);
    assert_eq!(kit.write(end(&new, 1)).await, Written::Done(None));
}

pub(crate) async fn suspended_runs_stay_suspended(place: &dyn Place) {
    let kit = Kit::new(place).await;
    let caller = kit.claimed().await;
    let (callee, _) = kit.call(&caller, true).await;
    kit.write(suspend(&caller, 0)).await;
    let kit = kit.reopen(place).await;
    assert!(kit.claims("one", 9).await.is_empty());
    let view = (*kit).run(&caller.run.id).await.unwrap();
    assert_eq!(view.summary.state, State::Suspended);
    assert_eq!(view.waits_for, [callee]);
    let claim = kit.claim_one("two").await;
    assert_eq!(claim.run.chain.len(), 1);
    let Written::Answered(answers) = kit.write(end(&claim, 1)).await else {
        panic!("the caller waits")
    };
    assert!(answers[0].woken);
    let kit = kit.reopen(place).await;
    assert_eq!(kit.claim_one("one").await.run, caller.run, "woken for good");
}

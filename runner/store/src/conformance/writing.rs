//! Writing what claimed runs do.

use signalbox_core::clock::Timestamp;
use signalbox_core::codes::Code;
use signalbox_core::journal::Chunk;
use signalbox_core::run::{Ending, Reason, RunError, State};

use super::kit::{cancel, end_with, one_entry, release, retry, succeed_by, suspend};
use super::{Kit, Place, append, end};
use crate::contract::{Claim, Write, Written};

pub(crate) async fn only_who_has_the_claim_writes(place: &dyn Place) {
    let kit = Kit::new(place).await;
    let old = kit.claimed().await;
    assert!(kit.is_claimed(&old.run.id));
    assert_eq!(kit.write(release(&old, false)).await, Written::Done(None));
    assert!(!kit.is_claimed(&old.run.id));
    let new = kit.claim_one("one").await;
    assert_ne!(old.epoch, new.epoch);
    let park = Write::Park {
        run: old.run.id.clone(),
        epoch: old.epoch,
        message: "no".into(),
        reason: Reason::Incompatible,
    };
    let stale = vec![
        append(&old, 1, one_entry(1)),
        end(&old, 1),
        suspend(&old, 1),
        release(&old, true),
        park,
        retry(&old, 1, 50_000),
        succeed_by(&old, 1, kit.run()),
    ];
    assert_eq!(kit.commit(stale).await.unwrap(), vec![Written::Fenced; 7]);
    assert!(kit.journal(&new.run.id).await.unwrap().is_empty());
    let queued = kit.queued().await;
    let unclaimed = Claim { run: queued, ..new.clone() };
    assert_eq!(kit.write(end(&unclaimed, 1)).await, Written::Fenced);
    assert!(!kit.is_claimed(&unclaimed.run.id), "it is queued");
    assert_eq!(kit.write(end(&new, 1)).await, Written::Done(None));
    assert!(!kit.is_claimed(&new.run.id), "its end is committed");
}

pub(crate) async fn chunks_come_in_order(place: &dyn Place) {
    let kit = Kit::new(place).await;
    let claim = kit.claimed().await;
    assert_eq!(kit.write(append(&claim, 2, one_entry(2))).await, Written::Fenced);
    assert_eq!(kit.write(append(&claim, 1, one_entry(1))).await, Written::Done(None));
    assert_eq!(kit.write(append(&claim, 1, one_entry(1))).await, Written::Fenced);
    assert_eq!(kit.write(append(&claim, 2, Chunk::default())).await, Written::Done(None));
    assert_eq!(kit.write(end(&claim, 2)).await, Written::Fenced);
    assert_eq!(kit.write(append(&claim, 3, one_entry(3))).await, Written::Done(None));
    let ordinals: Vec<_> =
        kit.journal(&claim.run.id).await.unwrap().iter().map(|entry| entry.key.ordinal).collect();
    assert_eq!(ordinals, [1, 3]);
    let chunks = kit.chunks(&claim.run.id, 2).await.unwrap();
    assert_eq!(chunks, [(3, Chunk { entries: Vec::new(), ..one_entry(3) })]);
    assert_eq!(kit.write(end(&claim, 4)).await, Written::Done(None));
}

pub(crate) async fn terminal_stays_terminal(place: &dyn Place) {
    let kit = Kit::new(place).await;
    let failed = Ending::Failed(Reason::ScriptError, RunError::plain(Code::ScriptError, "no"));
    for ending in [Ending::Succeeded(vec![0]), failed, Ending::Cancelled] {
        let claim = kit.claimed().await;
        let state = ending.state();
        assert_eq!(kit.write(end_with(&claim, 1, ending)).await, Written::Done(None));
        let before = kit.run_view(&claim).await;
        assert_eq!(before.summary.state, state);
        let fail = Write::Fail {
            run: claim.run.id.clone(),
            at: Timestamp(1),
            reason: Reason::TimedOut,
            error: RunError::plain(Code::RunTimedOut, "late"),
            aftermath: None,
        };
        let later = vec![
            append(&claim, 1, one_entry(1)),
            end(&claim, 1),
            suspend(&claim, 1),
            release(&claim, true),
            cancel(&claim.run.id),
            retry(&claim, 1, 50_000),
            succeed_by(&claim, 1, kit.run()),
            fail,
        ];
        assert_eq!(kit.commit(later).await.unwrap(), vec![Written::Rejected; 8]);
        assert_eq!(kit.run_view(&claim).await, before);
    }
    assert!(kit.claims("one", 9).await.is_empty());
}

impl Kit {
    async fn run_view(&self, claim: &Claim) -> crate::contract::RunView {
        (**self).run(&claim.run.id).await.unwrap()
    }
}

pub(crate) async fn cancelled_run_is_never_claimed(place: &dyn Place) {
    let kit = Kit::new(place).await;
    let (first, second) = (kit.queued().await, kit.queued().await);
    assert_eq!(kit.write(cancel(&first.id)).await, Written::Done(None));
    let claims = kit.claims("one", 9).await;
    assert_eq!(claims.len(), 1);
    assert_eq!(claims[0].run, second);
    assert_eq!(kit.write(cancel(&second.id)).await, Written::Claimed);
    let batch = vec![release(&claims[0], false), cancel(&second.id)];
    assert_eq!(kit.commit(batch).await.unwrap(), vec![Written::Done(None); 2]);
    assert!(kit.claims("one", 9).await.is_empty());
    assert_eq!(kit.state(&second.id).await, State::Cancelled);
    assert_eq!(kit.write(cancel(&kit.run().id)).await, Written::Rejected, "nobody knows it");
    let kit = kit.reopen(place).await;
    assert!(kit.claims("one", 9).await.is_empty());
}

pub(crate) async fn a_released_run_goes_first_and_keeps_its_journal(place: &dyn Place) {
    let kit = Kit::new(place).await;
    let claim = kit.claimed().await;
    kit.queued().await;
    let batch = vec![append(&claim, 1, one_entry(1)), release(&claim, true)];
    assert_eq!(kit.commit(batch).await.unwrap(), vec![Written::Done(None); 2]);
    assert_eq!(kit.state(&claim.run.id).await, State::Queued);
    let again = kit.claim_one("one").await;
    assert_eq!(again.run, claim.run);
    assert_eq!((again.next_chunk, again.lost_cells, again.active_us), (2, 1, 12));
    assert_eq!(again.started_at, Some(Timestamp(20_000)));
    let mut later = append(&again, 2, one_entry(2));
    if let Write::Append { started_at, .. } = &mut later {
        *started_at = Timestamp(77_000);
    }
    assert_eq!(kit.write(later).await, Written::Done(None));
    let view = kit.run_view(&again).await;
    assert_eq!(view.summary.started_at, Some(Timestamp(20_000)), "kept the first time");
}

pub(crate) async fn a_parked_run_waits_for_a_person(place: &dyn Place) {
    let kit = Kit::new(place).await;
    let claim = kit.claimed().await;
    let park = Write::Park {
        run: claim.run.id.clone(),
        epoch: claim.epoch,
        message: "entry 3 differs".into(),
        reason: Reason::Incompatible,
    };
    assert_eq!(kit.write(park).await, Written::Done(None));
    let kit = kit.reopen(place).await;
    assert!(kit.claims("one", 9).await.is_empty());
    assert_eq!(*kit.due().borrow(), None);
    let parked = kit.run_view(&claim).await.summary;
    assert_eq!((parked.state, parked.reason), (State::Suspended, Some(Reason::Incompatible)));
    assert_eq!(parked.error, Some(RunError::plain(Code::Incompatible, "entry 3 differs")));
    assert_eq!(kit.write(cancel(&claim.run.id)).await, Written::Done(None));
}

pub(crate) async fn writes_of_one_batch_see_each_other(place: &dyn Place) {
    let kit = Kit::new(place).await;
    let claim = kit.claimed().await;
    let batch = vec![
        append(&claim, 1, one_entry(1)),
        append(&claim, 2, one_entry(2)),
        append(&claim, 2, one_entry(9)),
        end(&claim, 3),
        end(&claim, 3),
    ];
    assert_eq!(
        kit.commit(batch).await.unwrap(),
        [
            Written::Done(None),
            Written::Done(None),
            Written::Fenced,
            Written::Done(None),
            Written::Rejected
        ]
    );
    assert_eq!(kit.journal(&claim.run.id).await.unwrap().len(), 2);
}

pub(crate) async fn a_refused_write_leaves_nothing(place: &dyn Place) {
    let kit = Kit::new(place).await;
    let claim = kit.claimed().await;
    let other =
        end_with(&claim, 2, Ending::Failed(Reason::Denied, RunError::plain(Code::Denied, "")));
    assert_eq!(kit.write(other).await, Written::Fenced, "it is not the next chunk");
    assert_eq!(kit.state(&claim.run.id).await, State::Running);
    assert_eq!(kit.write(end(&claim, 1)).await, Written::Done(None));
    let view = kit.run_view(&claim).await;
    assert_eq!(view.summary.isolation, Some(1));
    assert_eq!(view.summary.ended_at, Some(Timestamp(30_000)));
    assert!(view.result.is_some());
    assert_eq!(view.inputs, claim.run.inputs);
}

//! Deployments and what is live.

use std::sync::Arc;

use signalbox_core::clock::Timestamp;
use signalbox_core::codes::Code;
use signalbox_core::diagnostic::{Diagnostic, Place as FilePlace};
use signalbox_core::schedule::Schedule;
use signalbox_core::{DeploymentId, Digest};

use super::kit::{SCRIPT, new_deployment, schedule, script, spec};
use super::{Kit, Place};
use crate::contract::{Blob, Deployment, DeploymentOutcome, Error, LiveWorkspace};

pub(crate) async fn a_deployment_comes_back_as_it_was(place: &dyn Place) {
    let kit = Kit::new(place).await;
    let mut new = new_deployment("one", DeploymentOutcome::Rejected);
    let fault = Diagnostic::error(Code::Cron, FilePlace::at("f.yaml", 3, 4, 5), "never fires");
    new.diagnostics = vec![fault.help("give five fields")];
    new.changed = vec!["a/b".parse().unwrap()];
    new.removed = vec!["c".parse().unwrap()];
    new.hint_to_live_ms = None;
    let mut unread = new.clone();
    unread.spec = None;
    let ids = kit.deploy(vec![new.clone(), unread.clone()], vec![]).await.unwrap();
    assert!(ids[0] < ids[1]);
    assert_eq!(kit.deployment(ids[0]).await.unwrap(), Deployment { id: ids[0], new });
    assert_eq!(kit.deployment(ids[1]).await.unwrap().new, unread);
    let one = "one".parse().unwrap();
    let list = kit.deployments(&one, 2, None).await.unwrap();
    let listed: Vec<_> = list.iter().map(|deployment| deployment.id).collect();
    assert_eq!(listed, [ids[1], ids[0]]);
    let rest = kit.deployments(&one, 9, Some(ids[0])).await.unwrap();
    assert_eq!(rest[0].id, kit.deployment);
    assert!(matches!(kit.deployment(DeploymentId(999)).await, Err(Error::NotFound(_))));
    assert_eq!(kit.blob(Digest::of(SCRIPT)).await.unwrap(), SCRIPT);
    let unknown = Digest::of(b"unknown");
    assert!(matches!(kit.blob(unknown).await, Err(Error::NotFound(_))));
    let known = kit.known_blobs(vec![unknown, Digest::of(SCRIPT)]).await.unwrap();
    assert_eq!(known, [Digest::of(SCRIPT)]);
}

async fn live(kit: &Kit, name: &str) -> Option<LiveWorkspace> {
    let live = kit.live().await.unwrap();
    live.into_iter().find(|live| live.spec.name.as_str() == name)
}

pub(crate) async fn only_what_went_live_is_live(place: &dyn Place) {
    let kit = Kit::new(place).await;
    for outcome in DeploymentOutcome::ALL {
        let mut new = new_deployment("one", outcome);
        let mut newer = spec("one");
        newer.tree = outcome.as_str().into();
        new.spec = Some(Arc::new(newer));
        new.ended_at = Timestamp(9_000);
        let before = live(&kit, "one").await.unwrap();
        let id = kit.deploy(vec![new.clone()], vec![]).await.unwrap()[0];
        let after = live(&kit, "one").await.unwrap();
        if matches!(outcome, DeploymentOutcome::Deployed | DeploymentOutcome::RolledBack) {
            assert_eq!((after.deployment, Some(after.spec)), (id, new.spec));
            assert_eq!((after.created_at, after.updated_at), (Timestamp(2_000), new.ended_at));
        } else {
            assert_eq!(after, before);
        }
    }
}

pub(crate) async fn what_goes_live_must_be_whole(place: &dyn Place) {
    let kit = Kit::new(place).await;
    let good = new_deployment("three", DeploymentOutcome::Deployed);
    let mut without = new_deployment("one", DeploymentOutcome::Deployed);
    without.spec = None;
    let mut missing = new_deployment("one", DeploymentOutcome::Deployed);
    let mut lacking = spec("one");
    lacking.sources.insert("x.rhai".into(), Digest::of(b"nowhere"));
    missing.spec = Some(Arc::new(lacking));
    for bad in [without, missing] {
        let answer = kit.deploy(vec![good.clone(), bad], vec![]).await;
        assert!(matches!(answer, Err(Error::NotFound(_))), "{answer:?}");
        assert!(live(&kit, "three").await.is_none(), "one commit: all or nothing");
    }
    let lie = Blob { digest: Digest::of(b"x"), content: b"y".as_slice().into() };
    assert!(matches!(kit.deploy(vec![], vec![lie]).await, Err(Error::Corrupt(_))));
    kit.deploy(vec![good], vec![script()]).await.unwrap();
    let names: Vec<_> =
        kit.live().await.unwrap().iter().map(|live| live.spec.name.to_string()).collect();
    assert_eq!(names, ["one", "three", "two"]);
}

pub(crate) async fn a_retired_workspace_is_not_live(place: &dyn Place) {
    let kit = Kit::new(place).await;
    let run = kit.queued().await;
    let one = "one".parse().unwrap();
    kit.retire(&one).await.unwrap();
    assert!(live(&kit, "one").await.is_none());
    assert!(kit.last_slots().await.iter().all(|(key, _)| key.workspace != one));
    assert!(matches!(kit.retire(&one).await, Err(Error::NotFound(_))));
    assert!(matches!(kit.set_pinned(&one, true).await, Err(Error::NotFound(_))));
    assert_eq!(kit.claim_one("one").await.run, run, "its runs finish");
    assert!(kit.deployment(kit.deployment).await.is_ok());
    let back = new_deployment("one", DeploymentOutcome::Deployed);
    kit.deploy(vec![back], vec![]).await.unwrap();
    assert_eq!(live(&kit, "one").await.unwrap().created_at, Timestamp(2_000));
}

pub(crate) async fn a_schedule_owes_nothing_from_before(place: &dyn Place) {
    let kit = Kit::new(place).await;
    let slot = |slots: Vec<(crate::contract::ScheduleKey, Timestamp)>, id: &str| {
        let of_one = |key: &crate::contract::ScheduleKey| {
            key.workspace.as_str() == "one" && key.schedule == id
        };
        slots.into_iter().find(|(key, _)| of_one(key)).map(|(_, at)| at)
    };
    let known = schedule().id();
    let slots = kit.last_slots().await;
    assert_eq!(slot(slots, &known), Some(Timestamp(2_000)), "when it went live");
    kit.accept_one(Kit::slot(kit.run(), 60_000)).await;
    let other = Schedule::cron("0 7 * * *", "UTC");
    let mut changed = spec("one");
    changed.flows.values_mut().for_each(|flow| flow.schedules = vec![other.clone()]);
    let mut new = new_deployment("one", DeploymentOutcome::Deployed);
    new.spec = Some(Arc::new(changed));
    new.ended_at = Timestamp(70_000);
    kit.deploy(vec![new], vec![]).await.unwrap();
    let mut back = new_deployment("one", DeploymentOutcome::Deployed);
    back.ended_at = Timestamp(80_000);
    kit.deploy(vec![back], vec![]).await.unwrap();
    let slots = kit.last_slots().await;
    assert_eq!(slot(slots.clone(), &known), Some(Timestamp(60_000)), "it goes on where it was");
    assert_eq!(slot(slots, &other.id()), Some(Timestamp(70_000)));
}

pub(crate) async fn a_pin_stays_until_it_is_taken_off(place: &dyn Place) {
    let kit = Kit::new(place).await;
    let one = "one".parse().unwrap();
    assert!(!live(&kit, "one").await.unwrap().pinned);
    let mut back = new_deployment("one", DeploymentOutcome::RolledBack);
    back.pin = true;
    kit.deploy(vec![back], vec![]).await.unwrap();
    assert!(live(&kit, "one").await.unwrap().pinned);
    let next = new_deployment("one", DeploymentOutcome::Deployed);
    kit.deploy(vec![next], vec![]).await.unwrap();
    assert!(live(&kit, "one").await.unwrap().pinned);
    kit.set_pinned(&one, false).await.unwrap();
    assert!(!live(&kit, "one").await.unwrap().pinned);
    assert!(!live(&kit, "two").await.unwrap().pinned);
}

//! State, secrets and settings.

use signalbox_core::clock::Timestamp;
use signalbox_core::codes::Code;
use signalbox_core::journal::Outcome;
use signalbox_core::value::{decode, encode};
use signalbox_core::{Value, WorkspaceName};

use super::kit::{perform, suspend};
use super::{Kit, Place};
use crate::contract::{Claim, InternalEffect, StateChange, Written};

struct Script<'a> {
    kit: &'a Kit,
    claim: Claim,
    next: u32,
}

impl Script<'_> {
    async fn change(&mut self, name: &str, change: StateChange) -> Outcome {
        let effect =
            InternalEffect::State { workspace: "one".parse().unwrap(), name: name.into(), change };
        let written = self.kit.write(perform(&self.claim, self.next, self.next, effect)).await;
        self.next += 1;
        match written {
            Written::Done(Some(outcome)) => outcome,
            other => panic!("{other:?}"),
        }
    }

    async fn value(&mut self, name: &str, change: StateChange) -> Value {
        match self.change(name, change).await {
            Outcome::Done(bytes) => decode(&bytes).unwrap(),
            other => panic!("{other:?}"),
        }
    }

    async fn get(&self, name: &str) -> Option<Value> {
        self.kit.state_get(&one(), name).await.unwrap()
    }
}

fn one() -> WorkspaceName {
    "one".parse().unwrap()
}

fn bytes(value: impl Into<Value>) -> Vec<u8> {
    encode(&value.into())
}

pub(crate) async fn state_changes_as_asked(place: &dyn Place) {
    let kit = Kit::new(place).await;
    let claim = kit.claimed().await;
    let mut script = Script { kit: &kit, claim, next: 1 };
    assert_eq!(script.get("n").await, None);
    assert_eq!(script.value("n", StateChange::Add(5)).await, Value::Int(5));
    assert_eq!(script.value("n", StateChange::Add(-7)).await, Value::Int(-2));
    assert_eq!(script.value("n", StateChange::Set(bytes("x"))).await, Value::Null);
    assert_eq!(script.get("n").await, Some("x".into()));
    let swap = |expected: Option<&str>, value: &str| StateChange::Swap {
        expected: expected.map(bytes),
        value: bytes(value),
    };
    assert_eq!(script.value("n", swap(None, "y")).await, Value::Bool(false));
    assert_eq!(script.value("n", swap(Some("x"), "y")).await, Value::Bool(true));
    assert_eq!(script.value("m", swap(Some("x"), "y")).await, Value::Bool(false));
    assert_eq!(script.value("m", swap(None, "y")).await, Value::Bool(true));
    assert_eq!(kit.state_list(&one(), "", 9).await.unwrap(), ["m", "n"]);
    assert_eq!(script.value("n", StateChange::Delete).await, Value::Bool(true));
    assert_eq!(script.value("n", StateChange::Delete).await, Value::Bool(false));
    assert_eq!(script.get("n").await, None);
    let entries = kit.journal(&script.claim.run.id).await.unwrap();
    assert_eq!(entries.len(), 9, "each change left its entry");
    assert_eq!(entries[1].outcome, Outcome::Done(bytes(-2)));
}

pub(crate) async fn bad_state_changes_are_failures_not_errors(place: &dyn Place) {
    let kit = Kit::new(place).await;
    let claim = kit.claimed().await;
    let mut script = Script { kit: &kit, claim, next: 1 };
    script.change("text", StateChange::Set(bytes("x"))).await;
    script.change("max", StateChange::Set(bytes(i64::MAX))).await;
    let huge = Value::Bytes(vec![0; 1 << 20]);
    let long = "n".repeat(201);
    for (name, change) in [
        ("text", StateChange::Add(1)),
        ("max", StateChange::Add(1)),
        ("huge", StateChange::Set(encode(&huge))),
        ("bad", StateChange::Set(vec![99])),
        ("", StateChange::Set(bytes(1))),
        (long.as_str(), StateChange::Add(1)),
    ] {
        match script.change(name, change).await {
            Outcome::Failed(failure) => {
                assert_eq!((failure.code, failure.retryable), (Code::EffectFailed, false));
            }
            other => panic!("{name}: {other:?}"),
        }
    }
    assert_eq!(kit.state_list(&one(), "", 9).await.unwrap(), ["max", "text"]);
    assert_eq!(script.get("max").await, Some(i64::MAX.into()));
}

pub(crate) async fn state_of_another_workspace_is_not_seen(place: &dyn Place) {
    let kit = Kit::new(place).await;
    let claim = kit.claimed().await;
    let mut script = Script { kit: &kit, claim, next: 1 };
    for name in ["a/1", "a/2", "a/3", "b", "ä"] {
        script.change(name, StateChange::Add(1)).await;
    }
    assert_eq!(kit.state_list(&one(), "a/", 2).await.unwrap(), ["a/1", "a/2"]);
    assert_eq!(kit.state_list(&one(), "ä", 9).await.unwrap(), ["ä"]);
    let two = "two".parse().unwrap();
    assert!(kit.state_list(&two, "", 9).await.unwrap().is_empty());
    assert_eq!(kit.state_get(&two, "b").await.unwrap(), None);
    assert_eq!(kit.state_get(&"nobody".parse().unwrap(), "b").await.unwrap(), None);
    kit.write(suspend(&script.claim, 99)).await;
    let effect = InternalEffect::State {
        workspace: one(),
        name: "late".into(),
        change: StateChange::Add(1),
    };
    assert_eq!(kit.write(perform(&script.claim, 6, 6, effect)).await, Written::Fenced);
    assert_eq!(script.get("late").await, None, "who lost the claim changes nothing");
}

pub(crate) async fn secrets_and_settings_are_kept(place: &dyn Place) {
    let kit = Kit::new(place).await;
    let (one, two) = (one(), "two".parse().unwrap());
    kit.set_secret(&one, "KEY", vec![1], Timestamp(1)).await.unwrap();
    kit.set_secret(&one, "KEY", vec![2, 3], Timestamp(2)).await.unwrap();
    kit.set_secret(&one, "ALSO", vec![], Timestamp(3)).await.unwrap();
    kit.set_setting("token", "a").await.unwrap();
    kit.set_setting("token", "b").await.unwrap();
    let kit = kit.reopen(place).await;
    let of = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let (all, key) = (of(&["ALSO", "KEY", "UNSET"]), of(&["KEY"]));
    let sealed = kit.sealed(&one, &all).await.unwrap();
    assert_eq!(sealed, [("ALSO".into(), vec![]), ("KEY".into(), vec![2, 3])].into());
    assert_eq!(kit.sealed(&one, &key).await.unwrap(), [("KEY".into(), vec![2, 3])].into());
    assert!(kit.sealed(&one, &of(&[])).await.unwrap().is_empty());
    assert!(kit.sealed(&two, &all).await.unwrap().is_empty(), "they are another workspace's");
    let names = kit.secrets(&one).await.unwrap();
    assert_eq!(names, [("ALSO".into(), Timestamp(3)), ("KEY".into(), Timestamp(2))]);
    assert!(kit.delete_secret(&one, "KEY").await.unwrap());
    assert!(!kit.delete_secret(&one, "KEY").await.unwrap());
    assert!(!kit.delete_secret(&two, "ALSO").await.unwrap());
    assert!(kit.sealed(&one, &key).await.unwrap().is_empty());
    assert_eq!(kit.setting("token").await.unwrap().as_deref(), Some("b"));
    assert_eq!(kit.setting("other").await.unwrap(), None);
}

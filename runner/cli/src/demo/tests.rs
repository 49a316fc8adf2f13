//! The chain is followed in a real store that these tests write as a runner would.

use std::sync::Arc;

use signalbox_core::broker::Rule;
use signalbox_core::clock::Timestamp;
use signalbox_core::codes::Code;
use signalbox_core::ids::FlowRef;
use signalbox_core::journal::{Chunk, Key, Outcome};
use signalbox_core::run::{Ending, NewRun, Reason, RunError, Trigger};
use signalbox_core::turn::Turn;
use signalbox_core::value::{Value, encode};
use signalbox_core::{DeploymentId, Digest, RunId};
use signalbox_store::Store;
use signalbox_store::contract::{
    Accept, Accepted, CallDecision, CallRecord, DeploymentOutcome, Internal, InternalEffect,
    NewCall, NewDeployment, Want, Write,
};
use signalbox_store::sqlite::{Options, SqliteStore};
use tempfile::TempDir;

use super::chain::{Broken, Chain, Link};
use super::stand_ins::{Message, Seen};
use crate::moment::SystemClock;

const NOW: Timestamp = Timestamp(1_800_000_000_000_000);
const HOURS: &str = "homeops-platform/monitoring/market-hours";
const SCAN: &str = "homeops-financial/atom-nightly-scan";
const DISPATCHER: &str = "homeops-platform/monitoring/alert-dispatcher";

/// A store with a run of the flow at the beginning in it, and the chain that follows it.
struct World {
    store: Arc<dyn Store>,
    seen: Arc<Seen>,
    chain: Chain,
    deployment: DeploymentId,
    hours: RunId,
    _data: TempDir,
}

fn message(channel: &str, text: &str) -> Message {
    Message { channel: channel.to_owned(), text: text.to_owned() }
}

fn run_id(number: u8) -> RunId {
    RunId::from_parts(NOW.millis(), [number; 10])
}

impl World {
    async fn new() -> Self {
        let data = tempfile::tempdir().unwrap();
        let options = Options { clock: Arc::new(SystemClock) };
        let store: Arc<dyn Store> = Arc::new(SqliteStore::open(data.path(), options).unwrap());
        let deployment = store.deploy(vec![rejected()], Vec::new()).await.unwrap()[0];
        let seen = Arc::new(Seen::default());
        let chain = Chain::new(Arc::clone(&store), Arc::clone(&seen), NOW);
        let hours = run_id(1);
        let world = Self { store, seen, chain, deployment, hours, _data: data };
        let schedule = Trigger::Schedule { schedule: "s".into(), slot: NOW };
        let run = world.new_run(&world.hours, HOURS, schedule, &Value::map::<&str, 0>([]));
        let accept = Accept { run, slot: None, idempotency: None, queue_bound: 10 };
        assert_eq!(world.store.accept(vec![accept]).await.unwrap(), [Accepted::Queued]);
        world
    }

    fn new_run(&self, id: &RunId, flow: &str, trigger: Trigger, inputs: &Value) -> NewRun {
        let FlowRef { workspace, flow } = flow.parse().unwrap();
        let (id, deployment, inputs) = (id.clone(), self.deployment, encode(inputs));
        NewRun {
            id,
            workspace,
            flow,
            deployment,
            trigger,
            inputs,
            chain: Vec::new(),
            queued_at: NOW,
            deadline: None,
            turn: Turn::default(),
        }
    }

    /// Claims the one queued run of a flow's workspace and answers its epoch.
    async fn claim(&self, flow: &str) -> u64 {
        let flow: FlowRef = flow.parse().unwrap();
        let want = Want { workspace: flow.workspace, runs: 1 };
        self.store.claim(vec![want]).await.unwrap()[0].epoch
    }

    async fn call(&self, from: (&str, &RunId, u64), to: (&str, &RunId), inputs: &Value) {
        let (caller, caller_run, epoch) = from;
        let (callee, run) = to;
        let is_service = callee == DISPATCHER;
        let caller: FlowRef = caller.parse().unwrap();
        let trigger = Trigger::Call {
            caller: caller.clone(),
            run: caller_run.clone(),
            service: is_service.then(|| "alerts.send".to_owned()),
        };
        let flow: FlowRef = callee.parse().unwrap();
        let rule = if is_service { Rule::DomainUsesExport } else { Rule::PlatformStartsAccepted };
        let record = CallRecord {
            at: NOW,
            decision: CallDecision::Allowed,
            rule,
            caller,
            caller_run: Some(caller_run.clone()),
            target: callee.to_owned(),
            callee: Some((flow.workspace, flow.flow)),
            service: is_service.then(|| ("alerts.send".to_owned(), 1)),
            inputs: Digest::of(b""),
        };
        let run = self.new_run(run, callee, trigger, inputs);
        let call = NewCall { run, queue_bound: 10, record, wait: true, until: None };
        let internal = Internal {
            key: Key { scope: String::new(), attempt: 1, ordinal: 0 },
            kind: "broker::request".to_owned(),
            fingerprint: Digest::of(b""),
            at: NOW,
            effect: InternalEffect::Call(Box::new(call)),
        };
        let write = Write::Append {
            run: caller_run.clone(),
            epoch,
            number: 1,
            started_at: NOW,
            chunk: Chunk::default(),
            internal: Some(Box::new(internal)),
        };
        self.store.commit(vec![write]).await.unwrap();
    }

    async fn end(&self, run: &RunId, epoch: u64, number: u32, ending: Ending, answer: &Value) {
        let write = Write::End {
            run: run.clone(),
            epoch,
            number,
            started_at: NOW,
            chunk: Chunk::default(),
            ending,
            ended_at: NOW,
            isolation: 0,
            answer: Outcome::Done(encode(answer)),
            aftermath: None,
        };
        self.store.commit(vec![write]).await.unwrap();
    }

    async fn next(&mut self) -> Option<Link> {
        self.chain.advance().await.unwrap()
    }
}

fn rejected() -> NewDeployment {
    NewDeployment {
        workspace: "homeops-platform".parse().unwrap(),
        source: "test".to_owned(),
        revision: "0123456789012345678901234567890123456789".parse().unwrap(),
        tree: "t".to_owned(),
        identity: Digest::of(b"i"),
        contracts: Digest::of(b"c"),
        outcome: DeploymentOutcome::Rejected,
        spec: None,
        diagnostics: Vec::new(),
        author: "somebody".to_owned(),
        added: Vec::new(),
        changed: Vec::new(),
        removed: Vec::new(),
        hint: "poll".to_owned(),
        hint_to_live_ms: None,
        started_at: NOW,
        ended_at: NOW,
        pin: false,
    }
}

#[tokio::test]
async fn every_link_is_seen_in_order_and_not_before_it_happened() {
    let mut world = World::new().await;
    let (hours, scan, dispatcher) = (world.hours.clone(), run_id(2), run_id(3));
    assert_eq!(world.next().await, Some(Link::Fired { run: hours.clone(), slot: NOW }));
    assert_eq!(world.next().await, None);

    let hours_epoch = world.claim(HOURS).await;
    world.call((HOURS, &hours, hours_epoch), (SCAN, &scan), &Value::Null).await;
    let rule = Rule::PlatformStartsAccepted;
    assert_eq!(world.next().await, Some(Link::Started { run: scan.clone(), rule }));
    assert_eq!(world.next().await, None);

    world.seen.read_bars();
    assert_eq!(world.next().await, Some(Link::Read { requests: 1 }));
    assert_eq!(world.next().await, None);

    let scan_epoch = world.claim(SCAN).await;
    let alert = Value::map([("message", Value::from("jump"))]);
    world.call((SCAN, &scan, scan_epoch), (DISPATCHER, &dispatcher), &alert).await;
    let rule = Rule::DomainUsesExport;
    assert_eq!(world.next().await, Some(Link::Asked { run: dispatcher.clone(), rule }));

    world.seen.keep(message("#ops", "something else"));
    assert_eq!(world.next().await, None);
    world.seen.keep(message("#trading-alerts", "[HIGH] jump"));
    assert!(matches!(world.next().await, Some(Link::Delivered(m)) if m.text == "[HIGH] jump"));
    assert_eq!(world.next().await, None);

    let epoch = world.claim(DISPATCHER).await;
    let answer = Value::map([("delivered", Value::Int(1)), ("failed", Value::Int(0))]);
    let well = |value: &Value| Ending::Succeeded(encode(value));
    world.end(&dispatcher, epoch, 1, well(&answer), &answer).await;
    assert_eq!(world.next().await, Some(Link::Returned(answer)));
    assert_eq!(world.next().await, None);

    world.end(&scan, scan_epoch, 2, well(&Value::Int(1)), &Value::Int(1)).await;
    assert!(matches!(world.next().await, Some(Link::Scanned(ended)) if ended.run == scan));
    assert!(!world.chain.is_complete());
    world.end(&hours, hours_epoch, 2, well(&Value::Null), &Value::Null).await;
    assert!(matches!(world.next().await, Some(Link::Closed(ended)) if ended.run == hours));
    assert!(world.chain.is_complete());
    assert_eq!(world.next().await, None);
}

#[tokio::test]
async fn failed_run_breaks_the_chain_with_its_reason() {
    let mut world = World::new().await;
    let hours = world.hours.clone();
    let epoch = world.claim(HOURS).await;
    let error = RunError::plain(Code::SecretMissing, "the secret is not set");
    let ending = Ending::Failed(Reason::ScriptError, error);
    world.end(&hours, epoch, 1, ending, &Value::Null).await;
    assert!(world.next().await.is_some());
    let broken = world.chain.advance().await.unwrap_err();
    assert!(broken.to_string().contains("the secret is not set"), "{broken}");
}

#[tokio::test]
async fn run_that_ends_without_its_call_breaks_the_chain() {
    let mut world = World::new().await;
    let hours = world.hours.clone();
    let epoch = world.claim(HOURS).await;
    world.end(&hours, epoch, 1, Ending::Succeeded(encode(&Value::Null)), &Value::Null).await;
    assert!(world.next().await.is_some());
    assert!(matches!(world.chain.advance().await, Err(Broken::Missing { .. })));
}

#[tokio::test]
async fn alert_that_reached_nobody_breaks_the_chain() {
    let mut world = World::new().await;
    let (hours, scan, dispatcher) = (world.hours.clone(), run_id(2), run_id(3));
    let hours_epoch = world.claim(HOURS).await;
    world.call((HOURS, &hours, hours_epoch), (SCAN, &scan), &Value::Null).await;
    world.seen.read_bars();
    let scan_epoch = world.claim(SCAN).await;
    world.call((SCAN, &scan, scan_epoch), (DISPATCHER, &dispatcher), &Value::Null).await;
    world.seen.keep(message("", ""));
    let epoch = world.claim(DISPATCHER).await;
    let nobody = Value::map([("delivered", Value::Int(0)), ("failed", Value::Int(1))]);
    world.end(&dispatcher, epoch, 1, Ending::Succeeded(encode(&nobody)), &nobody).await;
    for _ in 0..5 {
        assert!(world.next().await.is_some());
    }
    assert!(matches!(world.chain.advance().await, Err(Broken::Undelivered(_))));
}

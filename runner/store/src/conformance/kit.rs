//! What the cases are made with.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use signalbox_core::broker::Rule;
use signalbox_core::catalog::{Flow, Kind, Workspace};
use signalbox_core::clock::Timestamp;
use signalbox_core::codes::Code;
use signalbox_core::ids::FlowRef;
use signalbox_core::journal::{Chunk, Entry, Key, Outcome};
use signalbox_core::run::{Ending, NewRun, RunError, State, Trigger};
use signalbox_core::schedule::{Overlap, Schedule};
use signalbox_core::turn::Turn;
use signalbox_core::value::encode;
use signalbox_core::{DeploymentId, Digest, RunId, Value};

use super::Place;
use crate::contract::{
    Accept, Accepted, Aftermath, Answer, Blob, CallDecision, CallRecord, Claim, DeploymentOutcome,
    Internal, InternalEffect, NewCall, NewDeployment, ScheduleKey, Slot, Store, Want, Write,
    Written,
};

/// An open store in which the workspaces `one` and `two` are live.
pub(crate) struct Kit {
    store: Box<dyn Store>,
    pub(crate) deployment: DeploymentId,
}

impl Deref for Kit {
    type Target = dyn Store;

    fn deref(&self) -> &Self::Target {
        &*self.store
    }
}

/// The content of the one script that every deployment has.
pub(crate) const SCRIPT: &[u8] = b"fn main(inputs) { 1 }";

pub(crate) fn spec(name: &str) -> Workspace {
    let flow = Flow { schedules: vec![schedule()], ..Flow::new("flows/f.yaml") };
    Workspace {
        tree: "t1".into(),
        flows: [("f".parse().unwrap(), flow)].into(),
        sources: [("s.rhai".to_owned(), Digest::of(SCRIPT))].into(),
        ..Workspace::new(name.parse().unwrap(), Kind::Domain, "a".repeat(40).parse().unwrap())
    }
}

pub(crate) fn schedule() -> Schedule {
    Schedule::cron("* * * * *", "UTC")
}

pub(crate) fn new_deployment(name: &str, outcome: DeploymentOutcome) -> NewDeployment {
    let spec = spec(name);
    NewDeployment {
        workspace: spec.name.clone(),
        source: "main".into(),
        revision: spec.revision.clone(),
        tree: spec.tree.clone(),
        identity: spec.identity(),
        contracts: Digest::of(b"contracts"),
        outcome,
        spec: Some(Arc::new(spec)),
        diagnostics: Vec::new(),
        author: "A <a@example.org>".into(),
        added: vec!["f".parse().unwrap()],
        changed: Vec::new(),
        removed: Vec::new(),
        hint: "poll".into(),
        hint_to_live_ms: Some(1.5),
        started_at: Timestamp(1_000),
        ended_at: Timestamp(2_000),
        pin: false,
    }
}

pub(crate) fn script() -> Blob {
    Blob { digest: Digest::of(SCRIPT), content: SCRIPT.into() }
}

/// A run of `workspace/f` with an id of its own.
pub(crate) fn run_in(workspace: &str, deployment: DeploymentId) -> NewRun {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let mut random = [0; 10];
    random[..8].copy_from_slice(&number.to_be_bytes());
    NewRun {
        id: RunId::from_parts(number, random),
        workspace: workspace.parse().unwrap(),
        flow: "f".parse().unwrap(),
        deployment,
        trigger: Trigger::Api,
        inputs: encode(&Value::Int(7)),
        chain: Vec::new(),
        queued_at: Timestamp(10_000),
        deadline: None,
        turn: Turn::default(),
    }
}

pub(crate) fn key(ordinal: u32) -> Key {
    Key { scope: "step#0".into(), attempt: 1, ordinal }
}

pub(crate) fn done(number: i64) -> Outcome {
    Outcome::Done(encode(&Value::Int(number)))
}

pub(crate) fn one_entry(ordinal: u32) -> Chunk {
    let entry = Entry {
        key: key(ordinal),
        kind: "now".into(),
        fingerprint: Digest::of(b"now"),
        outcome: done(1),
        at: Timestamp(5),
    };
    Chunk { entries: vec![entry], ..Chunk::default() }
}

pub(crate) fn append(claim: &Claim, number: u32, chunk: Chunk) -> Write {
    Write::Append {
        run: claim.run.id.clone(),
        epoch: claim.epoch,
        number,
        started_at: Timestamp(20_000),
        chunk,
        internal: None,
    }
}

pub(crate) fn perform(claim: &Claim, number: u32, ordinal: u32, effect: InternalEffect) -> Write {
    Write::Append {
        run: claim.run.id.clone(),
        epoch: claim.epoch,
        number,
        started_at: Timestamp(20_000),
        chunk: Chunk::default(),
        internal: Some(Box::new(Internal {
            key: key(ordinal),
            kind: "effect".into(),
            fingerprint: Digest::of(b"request"),
            at: Timestamp(20_001),
            effect,
        })),
    }
}

pub(crate) fn end(claim: &Claim, number: u32) -> Write {
    end_with(claim, number, Ending::Succeeded(encode(&Value::Int(42))))
}

/// The end of a claim that wrote nothing, and what it starts.
pub(crate) fn end_then(claim: &Claim, ending: Ending, aftermath: Aftermath) -> Write {
    let mut write = end_with(claim, claim.next_chunk, ending);
    if let Write::End { aftermath: place, .. } = &mut write {
        *place = Some(Box::new(aftermath));
    }
    write
}

pub(crate) fn end_with(claim: &Claim, number: u32, ending: Ending) -> Write {
    Write::End {
        run: claim.run.id.clone(),
        epoch: claim.epoch,
        number,
        started_at: Timestamp(20_000),
        chunk: Chunk::default(),
        ending,
        ended_at: Timestamp(30_000),
        isolation: 1,
        answer: done(42),
        aftermath: None,
    }
}

pub(crate) fn suspend(claim: &Claim, ordinal: u32) -> Write {
    Write::Suspend {
        run: claim.run.id.clone(),
        epoch: claim.epoch,
        waits_for: vec![key(ordinal)],
        active_us: 11,
    }
}

pub(crate) fn sleep(claim: &Claim, number: u32, ordinal: u32, until: i64) -> Write {
    perform(claim, number, ordinal, InternalEffect::Sleep { until: Timestamp(until) })
}

pub(crate) fn retry(claim: &Claim, number: u32, until: i64) -> Write {
    Write::Retry {
        run: claim.run.id.clone(),
        epoch: claim.epoch,
        number,
        started_at: Timestamp(20_000),
        chunk: Chunk::default(),
        until: Timestamp(until),
        error: RunError::plain(Code::ScriptError, "not this time"),
        active_us: 13,
    }
}

pub(crate) fn succeed_by(claim: &Claim, number: u32, successor: NewRun) -> Write {
    Write::Continue {
        run: claim.run.id.clone(),
        epoch: claim.epoch,
        number,
        started_at: Timestamp(20_000),
        chunk: Chunk::default(),
        ended_at: Timestamp(30_000),
        isolation: 1,
        successor: Box::new(successor),
    }
}

/// A wait of a run of `one` that was answered.
pub(crate) fn answer(claim: &Claim, ordinal: u32, outcome: Outcome, woken: bool) -> Answer {
    let NewRun { id, workspace, flow, .. } = claim.run.clone();
    Answer { run: id, workspace, flow, key: key(ordinal), outcome, woken }
}

pub(crate) fn release(claim: &Claim, cell_lost: bool) -> Write {
    Write::Release { run: claim.run.id.clone(), epoch: claim.epoch, cell_lost, active_us: 12 }
}

pub(crate) fn cancel(run: &RunId) -> Write {
    Write::Cancel { run: run.clone(), at: Timestamp(40_000), answer: done(-1) }
}

pub(crate) fn record(caller: &NewRun, callee: &str) -> CallRecord {
    CallRecord {
        at: Timestamp(25_000),
        decision: CallDecision::Allowed,
        rule: Rule::DomainUsesExport,
        caller: FlowRef { workspace: caller.workspace.clone(), flow: caller.flow.clone() },
        caller_run: Some(caller.id.clone()),
        target: "alerts.send".into(),
        callee: Some((callee.parse().unwrap(), "f".parse().unwrap())),
        service: Some(("alerts.send".into(), 1)),
        inputs: Digest::of(b"inputs"),
    }
}

impl Kit {
    /// Opens the place and makes `one` and `two` live.
    pub(crate) async fn new(place: &dyn Place) -> Self {
        let store = place.open().await;
        let batch = ["one", "two"].map(|name| new_deployment(name, DeploymentOutcome::Deployed));
        let ids = store.deploy(batch.into(), vec![script()]).await.unwrap();
        Self { store, deployment: ids[0] }
    }

    /// Lets the store go, as a process that dies does, and opens it again.
    pub(crate) async fn reopen(self, place: &dyn Place) -> Self {
        drop(self.store);
        Self { store: place.open().await, deployment: self.deployment }
    }

    pub(crate) fn run(&self) -> NewRun {
        run_in("one", self.deployment)
    }

    pub(crate) fn plain(run: NewRun) -> Accept {
        Accept { run, slot: None, idempotency: None, queue_bound: 1_000 }
    }

    pub(crate) fn slot(run: NewRun, at: i64) -> Accept {
        let schedule = ScheduleKey {
            workspace: run.workspace.clone(),
            flow: run.flow.clone(),
            schedule: schedule().id(),
        };
        Accept {
            slot: Some(Slot { schedule, at: Timestamp(at), overlap: Overlap::Queue }),
            ..Self::plain(run)
        }
    }

    /// The last slot of every schedule.
    pub(crate) async fn last_slots(&self) -> Vec<(ScheduleKey, Timestamp)> {
        let states = self.schedules().await.unwrap();
        states.into_iter().map(|state| (state.key, state.last_slot)).collect()
    }

    /// Accepts one run.
    pub(crate) async fn accept_one(&self, accept: Accept) -> Accepted {
        self.accept(vec![accept]).await.unwrap().remove(0)
    }

    /// Accepts a new run of `one`.
    pub(crate) async fn queued(&self) -> NewRun {
        let run = self.run();
        assert_eq!(self.accept_one(Self::plain(run.clone())).await, Accepted::Queued);
        run
    }

    /// Claims at most `runs` of a workspace.
    pub(crate) async fn claims(&self, workspace: &str, runs: usize) -> Vec<Claim> {
        self.claim(vec![Want { workspace: workspace.parse().unwrap(), runs }]).await.unwrap()
    }

    /// Claims the one run of a workspace that goes first.
    pub(crate) async fn claim_one(&self, workspace: &str) -> Claim {
        self.claims(workspace, 1).await.remove(0)
    }

    /// Accepts and claims a run of `one`.
    pub(crate) async fn claimed(&self) -> Claim {
        let run = self.queued().await;
        let claim = self.claim_one("one").await;
        assert_eq!(claim.run, run);
        claim
    }

    /// Commits one write.
    pub(crate) async fn write(&self, write: Write) -> Written {
        self.commit(vec![write]).await.unwrap().remove(0)
    }

    /// The state of a run.
    pub(crate) async fn state(&self, run: &RunId) -> State {
        self.store.run(run).await.unwrap().summary.state
    }

    /// Calls a flow of `two` from a claimed run, as its first chunk.
    pub(crate) async fn call(&self, caller: &Claim, wait: bool) -> (RunId, Written) {
        let mut run = run_in("two", self.deployment);
        run.trigger = Trigger::Call {
            caller: FlowRef { workspace: "one".parse().unwrap(), flow: "f".parse().unwrap() },
            run: caller.run.id.clone(),
            service: Some("alerts.send".into()),
        };
        run.chain = vec![FlowRef { workspace: "one".parse().unwrap(), flow: "f".parse().unwrap() }];
        let id = run.id.clone();
        let record = record(&caller.run, "two");
        let until = wait.then_some(Timestamp(99_000));
        let call = NewCall { run, queue_bound: 1, record, wait, until };
        let effect = InternalEffect::Call(Box::new(call));
        (id, self.write(perform(caller, caller.next_chunk, 0, effect)).await)
    }
}

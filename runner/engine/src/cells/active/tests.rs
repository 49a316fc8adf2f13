//! Tests of runs that a cell has.

use std::sync::Arc;

use signalbox_core::run::{NewRun, Trigger};
use signalbox_core::{DeploymentId, Digest, RunId};
use signalbox_store::contract::Claim;

use super::*;
use crate::revisions::Pinned;

fn run() -> NewRun {
    NewRun {
        id: RunId::from_parts(1, [1; 10]),
        workspace: "one".parse().unwrap(),
        flow: "f".parse().unwrap(),
        deployment: DeploymentId(1),
        trigger: Trigger::Api,
        inputs: Vec::new(),
        chain: Vec::new(),
        queued_at: Timestamp(0),
        deadline: None,
        turn: signalbox_core::turn::Turn::default(),
    }
}

fn active(journal: &[Entry]) -> Active {
    let claim = Claim {
        run: run(),
        epoch: 1,
        attempt: 1,
        next_chunk: 1,
        lost_cells: 0,
        recovered: 0,
        note: false,
        active_us: 0,
        started_at: None,
    };
    let pinned = Arc::new(Pinned::for_tests(DeploymentId(1)));
    Active::new(Assignment { claim, pinned, suspect: false }, journal)
}

fn key(ordinal: u32) -> Key {
    Key { scope: String::new(), attempt: 1, ordinal }
}

fn ticket(effect: u32) -> Ticket {
    Ticket { run: 1, effect }
}

fn pending(effect: u32) -> Pending {
    Pending::new(ticket(effect), key(effect), "sleep", Digest::of(b"request"))
}

fn entry(ordinal: u32, outcome: Outcome) -> Entry {
    let fingerprint = Digest::of(b"request");
    Entry { key: key(ordinal), kind: "sleep".into(), fingerprint, outcome, at: Timestamp(0) }
}

fn read(ordinal: u32) -> Chunk {
    Chunk { entries: vec![entry(ordinal, Outcome::Done(Vec::new()))], ..Chunk::default() }
}

fn later() -> Instant {
    Instant::now() + HOLD
}

/// Begins an effect that waits.
fn wait(active: &mut Active, effect: u32) {
    active.begin(pending(effect)).unwrap();
    active.pending(ticket(effect)).unwrap().waiting = Some(Instant::now());
}

#[test]
fn an_outside_effect_waits_for_what_is_on_its_way_to_the_store() {
    let mut active = active(&[]);
    active.begin(pending(1)).unwrap();
    assert_eq!(active.barrier(ticket(1)), None, "nothing came before");
    active.buffer(read(7));
    assert_eq!(active.take(false), Some((1, read(7))), "flushed, and nobody was told");
    let (number, chunk) = active.barrier(ticket(1)).expect("it is not durable yet");
    assert_eq!((number, chunk.is_empty()), (2, true));
    active.begin(pending(2)).unwrap();
    assert_eq!(active.barrier(ticket(2)).unwrap().0, 3, "another branch's effect waits, too");
    active.is_durable(2);
    assert_eq!(active.barrier(ticket(2)).unwrap().0, 4, "3 is not durable yet");
    let behind = active.pending(ticket(2)).unwrap().behind;
    active.is_durable(behind);
    assert_eq!(active.barrier(ticket(1)), None);
    active.buffer(read(8));
    assert_eq!(active.barrier(ticket(1)), Some((5, read(8))));
}

#[test]
fn a_run_is_suspended_when_all_that_it_does_is_wait() {
    let mut active = active(&[]);
    wait(&mut active, 1);
    assert!(!active.waited_enough(later()), "the cell did not say that it waits");
    active.begin(pending(2)).unwrap();
    active.waits(0);
    assert!(!active.waited_enough(later()), "2 is being done");
    active.pending(ticket(2)).unwrap().waiting = Some(Instant::now());
    assert!(!active.waited_enough(Instant::now()), "for so long only");
    assert!(active.waited_enough(later()));
    assert_eq!(active.abort(), [key(1), key(2)]);
}

#[test]
fn a_run_that_waits_for_long_is_suspended_at_once() {
    let mut active = active(&[]);
    wait(&mut active, 1);
    active.pending(ticket(1)).unwrap().long = true;
    assert!(!active.waited_enough(later()), "the cell did not say that it waits");
    active.waits(0);
    assert!(active.waited_enough(Instant::now()));
    wait(&mut active, 2);
    active.waits(0);
    assert!(!active.waited_enough(Instant::now()), "2 may be over soon");
    assert!(active.waited_enough(later()));
}

#[test]
fn a_run_whose_outcome_is_on_its_way_does_not_wait() {
    let mut active = active(&[]);
    wait(&mut active, 1);
    wait(&mut active, 2);
    active.waits(0);
    assert!(active.waited_enough(later()));
    active.finish(ticket(1)).unwrap();
    active.waits(0);
    assert!(!active.waited_enough(later()), "it was said before the outcome came");
    active.waits(1);
    assert!(active.waited_enough(later()));
    wait(&mut active, 3);
    assert!(!active.waited_enough(later()), "a branch went on");
}

#[test]
fn what_no_honest_cell_asks_for_is_refused() {
    let mut active = active(&[]);
    for effect in 0..u32::try_from(MAX_PENDING).unwrap() {
        active.begin(pending(effect)).unwrap();
        assert!(active.begin(pending(effect)).is_err(), "the same twice");
    }
    assert!(active.begin(pending(1_000)).is_err(), "more than eight branches can have");
}

#[test]
fn what_was_asked_for_before_only_lacks_its_answer() {
    let journal = [entry(1, Outcome::Pending), entry(2, Outcome::Done(Vec::new()))];
    let mut active = active(&journal);
    assert!(active.begin(pending(1)).unwrap());
    assert!(!active.begin(pending(2)).unwrap());
    assert_eq!((active.ticket_of(&key(1)), active.ticket_of(&key(4))), (Some(ticket(1)), None));
}

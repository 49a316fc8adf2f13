//! Stops under load, again and again: each ends with 0 in the time of its grace and leaves nothing
//! behind. `SIGNALBOX_ROUNDS` says how many.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;
use signalbox_e2e::{
    Die, Road, Runner, binary, descendants, eventually, is_alive, pause, rounds, told,
};
use signalbox_testkit::{Client, HttpStub, Launch};

use crate::load;

/// Rounds, unless `SIGNALBOX_ROUNDS` says otherwise.
const ROUNDS: usize = 12;

/// The road of the load, from a remote: children fetch for it. One flow computes up to its bound.
fn road(world: &HttpStub) -> Road {
    let mut road = load::road(world);
    road.push_script("ops/flows/spin.rhai", "loop { }");
    road.launch = Launch::new(binary(), road.repo.url()).arg("--poll").arg("1h");
    road
}

/// Has the runner look at its source again and again.
fn look(client: &Client, over: &AtomicBool) {
    while !over.load(Ordering::SeqCst) {
        drop(client.request("POST", "/api/v1/sync", Some(b"{\"wait\": 1}")));
    }
}

/// Stops a runner in the middle of its work. Gives what it had accepted, and how long it took.
fn stop(runner: Runner<'_>, after: Duration) -> (Vec<String>, Duration) {
    let pid = runner.pid();
    let over = AtomicBool::new(false);
    let (accepted, status, took, left) = thread::scope(|scope| {
        let (one, other) = (runner.client().clone(), runner.client().clone());
        let loading = scope.spawn(move || load::start_with(&one, 20));
        let over = &over;
        scope.spawn(move || look(&other, over));
        pause(after);
        let left = descendants(pid);
        let begun = Instant::now();
        let status = runner.terminate();
        let took = begun.elapsed();
        over.store(true, Ordering::SeqCst);
        (loading.join().unwrap(), status, took, left)
    });
    assert_eq!(status.code(), Some(0), "{status:?}");
    for pid in left {
        eventually("what the runner had started is gone", || (!is_alive(pid)).then_some(()));
    }
    (accepted, took)
}

/// The database is whole, and its log was written into it.
fn check_database(road: &Road) {
    let data = road.launch.data();
    let log = std::fs::metadata(data.join("signalbox.db-wal")).map_or(0, |log| log.len());
    assert_eq!(log, 0, "the log was left beside the database");
    let database = rusqlite::Connection::open(data.join("signalbox.db")).unwrap();
    let said: String = database.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(said, "ok");
}

#[test]
fn stops_at_random_moments_end_with_0_leave_nothing_and_lose_nothing() {
    let world = load::world();
    let road = road(&world);
    let mut die = Die::new();
    let (mut accepted, mut slowest) = (Vec::new(), Duration::ZERO);
    let mut endless = None;
    let rounds = rounds(ROUNDS);
    for round in 0..rounds {
        let runner = road.start();
        if round == 0 {
            endless = Some(runner.accept("ops/spin", &json!({})));
        } else if let Some(run) = endless.take() {
            // It had the whole grace of the first stop. After it it goes on, unless it was at its bound.
            drop(runner.post(&format!("/runs/{run}/cancel"), &json!({})));
            assert!(runner.ended(&run)["ended_at"].is_string());
        }
        let (started, took) = stop(runner, Duration::from_millis(die.roll(1, 120)));
        check_database(&road);
        accepted.extend(started);
        slowest = slowest.max(took);
    }
    let runs = load::check(&road.start(), &world, &accepted);
    told(&format!("{rounds} stops, {runs} runs, the slowest stop {} ms", slowest.as_millis()));
}

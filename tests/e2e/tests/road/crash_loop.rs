//! Promise 3 at random moments, under load. Each test prints its seed; `SIGNALBOX_SEED` repeats it.

use std::collections::BTreeSet;
use std::thread;
use std::time::Duration;

use signalbox_e2e::{Die, Scene, cells, kill9, pause, rounds, told};

use crate::load;

/// Rounds of the long loop, unless `SIGNALBOX_ROUNDS` says otherwise.
const ROUNDS: usize = 100;

#[test]
fn a_hundred_kills_at_random_moments_lose_nothing_and_double_nothing() {
    let world = load::world();
    let road = load::road(&world);
    let mut die = Die::new();
    let mut accepted = Vec::new();
    let rounds = rounds(ROUNDS);
    for _ in 0..rounds {
        let runner = road.start();
        let time = Duration::from_millis(die.roll(5, 150));
        thread::scope(|scope| {
            // What is accepted has to end in the time of this test.
            let loading = scope.spawn(|| load::start(&runner, 8));
            pause(time);
            kill9(runner.pid());
            accepted.extend(loading.join().unwrap());
        });
        runner.kill9();
    }
    let (runs, dead) = load::check_after_kills(&road.start(), &world, &accepted);
    assert!(dead * 10 <= runs, "{dead} of {runs} runs are among the dead letters");
    assert!(runs >= rounds, "no load: {runs} runs in {rounds} rounds");
    told(&format!(
        "{rounds} kills, {runs} runs, {dead} of them dead letters: none lost, none doubled"
    ));
}

#[test]
fn cells_that_die_at_random_moments_double_nothing() {
    let world = load::world();
    let road = load::road(&world);
    let runner = road.start();
    let mut die = Die::new();
    let accepted = thread::scope(|scope| {
        let loading = scope.spawn(|| load::start(&runner, 200));
        while !loading.is_finished() {
            pause(Duration::from_millis(die.roll(1, 40)));
            let all = cells(runner.pid());
            if let Some(last) = all.len().checked_sub(1) {
                let chosen = die.roll(0, u64::try_from(last).unwrap());
                all[usize::try_from(chosen).unwrap()].kill9();
            }
        }
        loading.join().unwrap()
    });
    let mut failed = BTreeSet::new();
    for id in &accepted {
        let run = runner.ended(id);
        // A run that lost two cells ends, and says so.
        if run["state"] != "succeeded" {
            assert!(matches!(run["error"]["code"].as_str(), Some("SB0504" | "SB0314")), "{run:#}");
            failed.insert(id.clone());
        }
    }
    for (workspace, prefix) in [("shop", "before/"), ("shop", "after/"), ("ops", "next/")] {
        let tally = load::tally(&runner, workspace, prefix);
        let tally = tally.as_object().unwrap();
        let doubled: Vec<_> = tally.iter().filter(|(_, count)| **count != 1).collect();
        assert!(doubled.is_empty(), "doubled: {doubled:?}");
        let lost: Vec<_> = accepted
            .iter()
            .filter(|id| !failed.contains(*id) && !tally.contains_key(&format!("{prefix}{id}")))
            .collect();
        assert!(lost.is_empty(), "lost: {lost:?}");
    }
}

#[test]
fn kills_in_the_middle_of_deployments_leave_one_whole_revision() {
    let road =
        Scene::platform().script("ops/flows/a.rhai", "0").script("ops/flows/b.rhai", "0").road();
    let mut die = Die::new();
    for round in 1..=20 {
        let runner = road.start();
        road.repo.write("ops/flows/a.rhai", format!("fn main(inputs) {{ {round} }}\n"));
        road.push_script("ops/flows/b.rhai", &format!("{round}"));
        thread::scope(|scope| {
            let path = "/api/v1/sync";
            scope.spawn(|| drop(runner.client().request("POST", path, Some(b"{\"wait\": 5}"))));
            pause(Duration::from_millis(die.roll(0, 40)));
            kill9(runner.pid());
        });
        runner.kill9();
        let runner = road.start();
        runner.sync();
        assert_eq!(runner.result("ops/a"), round);
        assert_eq!(runner.result("ops/b"), round);
        assert_eq!(runner.get("/workspaces/ops")["state"], "live");
        runner.kill9();
    }
}

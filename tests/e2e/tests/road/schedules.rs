//! Promise 9: a slot fires once, whatever dies, and none is left out.

use std::collections::BTreeSet;

use serde_json::Value;
use signalbox_e2e::{Road, Runner, Scene, eventually};

/// Slots wait for each other: one that was under way when its runner died is not in their way.
const EVERY_SECOND: &str = "schedules: [{ cron: \"* * * * * *\", overlap: queue }]\n";

fn road() -> Road {
    let flow = format!("{EVERY_SECOND}run: state::add(`slot/${{run::slot()}}`, 1)\n");
    Scene::platform().file("ops/flows/tick.yaml", flow).road()
}

/// The runs of the schedule, oldest first.
pub(crate) fn ticks(runner: &Runner<'_>) -> Vec<Value> {
    let mut runs = runner.list("/runs?flow=tick&limit=1000");
    runs.reverse();
    runs
}

/// Waits until so many slots have fired.
fn wait_for(runner: &Runner<'_>, number: usize) -> Vec<Value> {
    eventually("enough slots have fired", || Some(ticks(runner)).filter(|all| all.len() >= number))
}

/// The seconds of the slots, which must all be different and follow one another without a gap.
#[track_caller]
pub(crate) fn check(runs: &[Value]) {
    let slots: Vec<_> =
        runs.iter().map(|run| run["trigger"]["slot"].as_str().unwrap().to_owned()).collect();
    let different: BTreeSet<_> = slots.iter().collect();
    assert_eq!(different.len(), slots.len(), "a slot fired twice: {slots:?}");
    let second = |slot: &str| {
        let digits = |from: usize| slot[from..from + 2].parse::<u32>().unwrap();
        (digits(11) * 60 + digits(14)) * 60 + digits(17)
    };
    let mut seconds: Vec<_> = slots.iter().map(|slot| second(slot)).collect();
    seconds.sort_unstable();
    let gap = seconds.windows(2).find(|pair| pair[1] != pair[0] + 1 && pair[1] - pair[0] < 80_000);
    assert!(gap.is_none(), "a slot is missing at {gap:?}: {slots:?}");
}

#[test]
fn an_every_second_schedule_fires_every_second_once() {
    let road = road();
    let runner = road.start();
    let runs = wait_for(&runner, 3);
    check(&runs);
    let run = runner.ended(runs[0]["id"].as_str().unwrap());
    assert_eq!((&run["trigger"]["kind"], &run["result"]), (&"schedule".into(), &1.into()));
    let schedule = runner.list("/schedules").remove(0);
    assert_eq!(run["trigger"]["schedule"], schedule["id"]);
}

#[test]
fn a_schedule_that_cannot_fire_keeps_no_other_from_firing() {
    // A default that fits its file and is over the bound of inputs.
    let zeros = "0,".repeat(300_000);
    let large = format!(
        "inputs: {{ many: {{ type: array, default: [{zeros}] }} }}\n{EVERY_SECOND}run: '1'\n"
    );
    let tick = format!("{EVERY_SECOND}run: '1'\n");
    let road = Scene::platform()
        .file("ops/flows/zz-large.yaml", large)
        .file("ops/flows/tick.yaml", tick)
        .road();
    let runner = road.start();
    check(&wait_for(&runner, 3));
    assert_eq!(runner.list("/runs?flow=zz-large"), [] as [Value; 0]);
}

#[test]
fn no_slot_is_doubled_or_lost_over_kills_and_restarts() {
    let road = road();
    let mut fired = 2;
    for _ in 0..3 {
        let runner = road.start();
        wait_for(&runner, fired);
        fired = ticks(&runner).len() + 2;
        runner.kill9();
    }
    let runner = road.start();
    let runs = wait_for(&runner, fired);
    check(&runs);
    for run in &runs {
        let run = runner.ended(run["id"].as_str().unwrap());
        assert_eq!((&run["state"], &run["result"]), (&"succeeded".into(), &1.into()), "{run:#}");
    }
}

#[test]
fn a_slot_never_fires_before_its_time() {
    let road = road();
    let runner = road.start();
    for run in wait_for(&runner, 3) {
        let (slot, queued) =
            (run["trigger"]["slot"].as_str().unwrap(), run["queued_at"].as_str().unwrap());
        assert!(slot <= queued, "{slot} was accepted at {queued}");
    }
}

#[test]
fn a_push_that_does_not_touch_a_schedule_neither_repeats_nor_drops_a_slot() {
    let road = road();
    let runner = road.start();
    wait_for(&runner, 1);
    for round in 0..5 {
        road.push_script("ops/flows/hello.rhai", &format!("{round}"));
        assert_eq!(runner.sync_of("ops")["outcome"], "deployed");
    }
    let fired = ticks(&runner).len();
    check(&wait_for(&runner, fired + 2));
}

#[test]
fn the_next_slots_are_told_in_order() {
    let nightly = "schedules: [{ cron: \"30 2 * * *\", timezone: Europe/Berlin }]\nrun: '1'\n";
    let road = Scene::platform().file("ops/flows/night.yaml", nightly).road();
    let runner = road.start();
    let slots = runner.list("/schedules/next?limit=400");
    assert_eq!(slots.len(), 400);
    let at: Vec<_> = slots.iter().map(|slot| slot["at"].as_str().unwrap().to_owned()).collect();
    assert!(at.is_sorted(), "{at:?}");
    // Within a year both of Berlin's offsets occur: 02:30 is 00:30 or 01:30 in UTC, and the night
    // that has no 02:30 fires at the first moment after the gap.
    let hours: BTreeSet<_> = at.iter().map(|slot| slot[11..16].to_owned()).collect();
    assert!(hours.contains("00:30") && hours.contains("01:30") && hours.len() <= 3, "{hours:?}");
}

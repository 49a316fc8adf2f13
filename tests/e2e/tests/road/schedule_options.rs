//! What a schedule says beside its times: overlap, inputs, jitter, moments, calendars, `dynamic`.

use serde_json::{Value, json};
use signalbox_e2e::{Gate, Road, Runner, Scene, eventually};

fn held(gate: &Gate, overlap: &str) -> Road {
    let flow = format!(
        "schedules: [{{ cron: \"* * * * * *\", overlap: {overlap} }}]\nrun: '{}'\n",
        gate.ask()
    );
    Scene::pair("", &gate.grant()).file("shop/flows/tick.yaml", flow).road()
}

/// The runs of the schedule, oldest first.
fn ticks(runner: &Runner<'_>) -> Vec<Value> {
    let mut runs = runner.list("/runs?flow=tick&limit=1000");
    runs.reverse();
    runs
}

fn wait_for(runner: &Runner<'_>, number: usize) -> Vec<Value> {
    eventually("enough slots have fired", || Some(ticks(runner)).filter(|all| all.len() >= number))
}

fn standing(run: &Value) -> (&str, &str) {
    (run["state"].as_str().unwrap_or_default(), run["reason"].as_str().unwrap_or_default())
}

#[test]
fn a_slot_is_skipped_on_record_while_the_run_before_it_goes_on() {
    let gate = Gate::closed();
    let road = held(&gate, "skip");
    let runner = road.start();
    gate.wait_for(1);
    let runs = wait_for(&runner, 3);
    assert!(runs[1..].iter().all(|run| standing(run) == ("skipped", "overlap")), "{runs:#?}");
    assert_eq!(gate.requests().len(), 1);
    gate.open();
    assert_eq!(runner.ended(runs[0]["id"].as_str().unwrap())["state"], "succeeded");
    let later = eventually("a later slot runs", || {
        ticks(&runner).into_iter().skip(3).find(|run| run["state"] == "succeeded")
    });
    assert!(later["trigger"]["slot"].as_str() > runs[2]["trigger"]["slot"].as_str());
}

#[test]
fn slots_that_queue_run_one_after_the_other_also_after_a_kill() {
    let gate = Gate::closed();
    let road = held(&gate, "queue");
    let runner = road.start();
    gate.wait_for(1);
    let runs = wait_for(&runner, 3);
    assert_eq!(standing(&runs[1]), ("queued", "waiting_overlap"));
    runner.kill9();
    let runner = road.start();
    // The first run asks again; nobody else does before it has ended.
    gate.wait_for(2);
    gate.open();
    let mut ends = Vec::new();
    for run in &runs {
        let run = runner.ended(run["id"].as_str().unwrap());
        assert_eq!(run["state"], "succeeded", "{run:#}");
        ends.push((run["ended_at"].as_str().unwrap().to_owned(), run["started_at"].clone()));
    }
    for pair in ends.windows(2) {
        assert!(pair[0].0.as_str() <= pair[1].1.as_str().unwrap(), "side by side: {ends:?}");
    }
}

#[test]
fn a_slot_that_cancels_ends_the_run_before_it_and_runs_itself() {
    let gate = Gate::closed();
    let road = held(&gate, "cancel_running");
    let runner = road.start();
    gate.wait_for(3);
    let runs = ticks(&runner);
    let first = runner.ended(runs[0]["id"].as_str().unwrap());
    assert_eq!(standing(&first), ("cancelled", "cancel_requested"));
    let slots: std::collections::BTreeSet<_> =
        runs.iter().map(|run| run["trigger"]["slot"].to_string()).collect();
    assert_eq!(slots.len(), runs.len(), "no slot twice: {slots:?}");
}

#[test]
fn a_schedule_gives_its_inputs_and_the_flow_completes_them() {
    let flow =
        "inputs: { city: { type: string, required: true }, days: { type: integer, default: 2 } }
schedules:
  - { name: often, cron: \"* * * * * *\", inputs: { city: Bonn } }
run: '`${inputs.city} ${inputs.days}`'
";
    let road = Scene::platform().file("ops/flows/tick.yaml", flow).road();
    let runner = road.start();
    let run = wait_for(&runner, 1).remove(0);
    assert_eq!(runner.ended(run["id"].as_str().unwrap())["result"], "Bonn 2");
    assert_eq!(run["trigger"]["schedule"], "often");
    let schedule = runner.list("/schedules").remove(0);
    assert_eq!(
        (&schedule["name"], &schedule["inputs"]),
        (&json!("often"), &json!({ "city": "Bonn" }))
    );
}

#[test]
fn a_schedule_that_is_not_wanted_is_recorded_as_skipped() {
    let flow = "schedules: [{ cron: \"* * * * * *\", dynamic: 'state::get(\"open\") == true && slot == run::slot()' }]
run: state::add(\"ran\", 1)
";
    let road = Scene::platform()
        .file("ops/flows/tick.yaml", flow)
        .script("ops/flows/open.rhai", "state::set(\"open\", true)")
        .road();
    let runner = road.start();
    let run = wait_for(&runner, 1).remove(0);
    assert_eq!(standing(&runner.ended(run["id"].as_str().unwrap())), ("skipped", "not_wanted"));
    runner.run("ops/open", &json!({}));
    eventually("a later slot is wanted", || {
        ticks(&runner).into_iter().find(|run| run["state"] == "succeeded")
    });
}

#[test]
fn a_moment_that_is_over_does_not_fire_and_calendars_and_jitter_are_shown() {
    let flow = "schedules:
  - { name: past, at: \"2020-01-01T00:00\" }
  - { name: far, at: \"2199-12-31T23:00:00Z\" }
  - { name: days, cron: \"0 0 * * *\", calendar: quiet, jitter: 1h, missed: { run: all, window: 6h, cap: 7 } }
run: '1'
";
    let road = Scene::platform()
        .file("ops/flows/tick.yaml", flow)
        .file("ops/calendars/quiet.yaml", "weekdays_off: [mon, tue, wed, thu, fri]\n")
        .road();
    let runner = road.start();
    let schedules = runner.list("/schedules");
    let of = |name: &str| schedules.iter().find(|one| one["name"] == name).unwrap();
    assert_eq!((&of("past")["next_at"], &of("far")["next_at"]), (&Value::Null, &of("far")["at"]));
    assert_eq!(of("days")["missed"], json!({ "run": "all", "window_ms": 21_600_000, "cap": 7 }));
    assert_eq!(
        (&of("days")["jitter_ms"], &of("days")["calendar"]),
        (&json!(3_600_000), &json!("quiet"))
    );
    let slots = runner.list("/schedules/next?limit=9");
    // Saturday and Sunday in turn, then the moment in the far future is not among the nearest.
    for slot in &slots {
        assert_eq!(slot["schedule"], "days");
        assert!(slot["fires_at"].as_str() >= slot["at"].as_str());
        assert!(slot["at"].as_str().unwrap().ends_with("T00:00:00.000000Z"));
    }
    assert_eq!(slots.len(), 9);
    let again = runner.list("/schedules/next?limit=9");
    assert_eq!(slots, again, "the jitter of a slot is always the same");
    assert!(ticks(&runner).is_empty());
}

#[test]
fn a_moment_fires_once_and_not_again_after_a_restart() {
    let road = Scene::platform().road();
    let runner = road.start();
    let soon = runner.run("ops/hello", &json!({}))["queued_at"].as_str().unwrap().to_owned();
    let at: jiff::Timestamp = soon.parse().unwrap();
    let at = at + jiff::SignedDuration::from_secs(4);
    let flow = format!("schedules: [{{ at: \"{at}\" }}]\nrun: '1'\n");
    road.push("ops/flows/tick.yaml", &flow);
    assert_eq!(runner.sync_of("ops")["outcome"], "deployed");
    let run = wait_for(&runner, 1).remove(0);
    runner.ended(run["id"].as_str().unwrap());
    assert_eq!(runner.list("/schedules")[0]["next_at"], Value::Null);
    runner.kill9();
    let runner = road.start();
    assert_eq!(runner.list("/schedules")[0]["next_at"], Value::Null);
    assert_eq!(ticks(&runner).len(), 1);
}

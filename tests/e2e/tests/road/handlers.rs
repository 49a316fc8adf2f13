//! Failure reaches people: handlers start with the end that they handle, once, and never each other.

use serde_json::{Value, json};
use signalbox_e2e::{Gate, PATIENCE, Road, Runner, Scene, eventually};

const SHOP: &str = "\
uses: [alerts.send@1]
on_failure: note
";

const ORDER: &str = "\
inputs: { fail: { type: boolean, default: false } }
on_recovery: recovered
on_success: done
run: |
  if inputs.fail { throw \"no more of it\" }
  7
";

const SERVED: &str = "\
on_failure: alerts.send@1
run: 'throw \"broken\"'
";

const ALERT: &str = "\
inputs:
  alert_type: { type: string, required: true }
  severity: { type: string, enum: [low, high, critical], default: low }
  message: { type: string, required: true, max_length: 4000 }
  channel: { type: string, default: \"#ops\" }
run: |
  if state::get(\"deaf\") == true { throw \"deaf\" }
  inputs.message
";

fn road() -> Road {
    Scene::pair("", "")
        .file(
            "ops/workspace.yaml",
            "exports: { alerts.send: { flow: alert, callers: [domains] } }\n\
             on_call_failure: refusals\non_failure: refusals\n",
        )
        .file("ops/flows/alert.yaml", ALERT)
        .script("ops/flows/refusals.rhai", "inputs")
        .script("ops/flows/deafen.rhai", "state::set(\"deaf\", true)")
        .file("shop/workspace.yaml", SHOP)
        .file("shop/flows/order.yaml", ORDER)
        .file("shop/flows/served.yaml", SERVED)
        .script(
            "shop/flows/note.rhai",
            "state::add(\"notes\", 1);\nif inputs.flow == \"poison\" { throw \"I too\" }\ninputs",
        )
        .script("shop/flows/poison.rhai", "throw \"poison\"")
        .script("shop/flows/recovered.rhai", "inputs")
        .script("shop/flows/done.rhai", "inputs.run")
        .script(
            "shop/flows/asks.rhai",
            "broker::request(\"alerts.send\", #{ alert_type: \"a\", message: \"m\" })",
        )
        .script("shop/flows/strays.rhai", "broker::request(inputs.to, #{})")
        .road()
}

/// The runs that handle the end of a run, once all of them have ended.
#[track_caller]
fn handlers(runner: &Runner<'_>, run: &str, number: usize) -> Vec<Value> {
    eventually(&format!("{number} runs handle {run}"), || {
        let mut all = runner.list("/runs?limit=1000");
        all.retain(|other| other["trigger"]["kind"] == "handler" && other["trigger"]["of"] == run);
        let ended = all.iter().all(|run| !run["ended_at"].is_null());
        (all.len() >= number && ended).then_some(all)
    })
}

/// Waits until nothing is under way any more.
#[track_caller]
fn quiet(runner: &Runner<'_>) {
    eventually("nothing is under way", || {
        let all = runner.list("/runs?limit=1000");
        all.iter().all(|run| !run["ended_at"].is_null()).then_some(())
    });
}

fn rerun(runner: &Runner<'_>, run: &str) {
    let answer = runner.post(&format!("/runs/{run}/rerun"), &json!({}));
    runner.ended(answer.json()["id"].as_str().unwrap());
}

fn id(run: &Value) -> &str {
    run["id"].as_str().unwrap()
}

#[test]
fn a_failure_starts_the_handler_with_the_facts() {
    let road = road();
    let runner = road.start();
    let failed = runner.run("shop/order", &json!({ "fail": true }));
    let found = handlers(&runner, id(&failed), 1);
    assert_eq!(found.len(), 1, "{found:#?}");
    let handler = runner.show(id(&found[0]));
    assert_eq!(handler["flow"], "note");
    assert_eq!(handler["deployment"], failed["deployment"]);
    assert_eq!(handler["trigger"]["event"], "failure");
    let told = &handler["inputs"];
    assert_eq!((&told["workspace"], &told["flow"]), (&json!("shop"), &json!("order")));
    assert_eq!((&told["run"], &told["state"]), (&failed["id"], &json!("failed")));
    assert_eq!((&told["reason"], &told["attempt"]), (&json!("script_error"), &json!(1)));
    assert_eq!((&told["trigger"], &told["ended_at"]), (&json!("api"), &failed["ended_at"]));
    assert_eq!(told["started_at"], failed["started_at"]);
    assert_eq!(told["error"]["code"], failed["error"]["code"]);
    assert_eq!(told["error"]["line"], failed["error"]["line"]);
    let message = told["message"].as_str().unwrap();
    assert!(message.starts_with("shop/order failed: SB0501") && message.contains("no more of it"));
    let said = runner.cli(&["show", id(&handler)]).ends(0).stdout;
    assert!(said.contains("failure of shop/order"), "{said}");
    assert!(runner.client().get("/").text.contains("failure of shop/order"));
}

#[test]
fn a_recovery_is_told_once_and_a_success_each_time() {
    let road = road();
    let runner = road.start();
    let flows = |fail: bool| {
        let run = runner.run("shop/order", &json!({ "fail": fail }));
        quiet(&runner);
        let found = handlers(&runner, id(&run), 1);
        let mut flows: Vec<_> = found.iter().map(|run| run["flow"].clone()).collect();
        flows.sort_by_key(ToString::to_string);
        flows
    };
    assert_eq!(flows(false), ["done"], "nothing had failed before");
    assert_eq!(flows(true), ["note"]);
    assert_eq!(flows(true), ["note"]);
    assert_eq!(flows(false), ["done", "recovered"]);
    assert_eq!(flows(false), ["done"]);
}

#[test]
fn handlers_never_handle_handlers() {
    let road = road();
    let runner = road.start();
    let failed = runner.run("shop/poison", &json!({}));
    let handler = handlers(&runner, id(&failed), 1).remove(0);
    assert_eq!(handler["state"], "failed");
    quiet(&runner);
    assert_eq!(runner.list("/runs").len(), 2);
    // The handler of the workspace is not its own.
    runner.run("shop/note", &json!({ "flow": "poison" }));
    quiet(&runner);
    assert_eq!(runner.list("/runs").len(), 3);
}

#[test]
fn a_domain_tells_a_service_through_the_broker() {
    let road = road();
    let runner = road.start();
    let failed = runner.run("shop/served", &json!({}));
    let found = handlers(&runner, id(&failed), 1).remove(0);
    assert_eq!((&found["workspace"], &found["flow"]), (&json!("ops"), &json!("alert")));
    assert_eq!(found["trigger"]["service"], "alerts.send");
    let alert = runner.show(id(&found));
    assert_eq!(alert["inputs"]["alert_type"], "run_failed");
    assert_eq!(
        (&alert["inputs"]["severity"], &alert["inputs"]["channel"]),
        (&json!("high"), &json!("#ops"))
    );
    assert_eq!(alert["chain"], json!([{ "workspace": "shop", "flow": "served" }]));
    let calls = runner.calls_of(id(&failed));
    assert_eq!(calls.len(), 1);
    assert_eq!((&calls[0]["decision"], &calls[0]["run"]), (&json!("allowed"), &found["id"]));
    assert_eq!(calls[0]["state"], "succeeded");
    // A service that fails as a handler is handled by nobody.
    runner.result("ops/deafen");
    let failed = runner.run("shop/served", &json!({}));
    assert_eq!(handlers(&runner, id(&failed), 1)[0]["state"], "failed");
    quiet(&runner);
    assert!(runner.list("/runs").iter().all(|run| run["flow"] != "refusals"));
}

#[test]
fn the_platform_is_told_of_calls_that_failed_or_were_refused() {
    let road = road();
    let runner = road.start();
    runner.result("ops/deafen");
    let caller = runner.run("shop/asks", &json!({}));
    let call = runner.calls_of(id(&caller)).remove(0);
    let callee = call["run"].as_str().unwrap();
    let mut told: Vec<_> = handlers(&runner, callee, 2);
    told.retain(|run| run["trigger"]["event"] == "call_failure");
    let told = runner.show(id(&told[0]))["inputs"].clone();
    assert_eq!((&told["service"], &told["state"]), (&json!("alerts.send"), &json!("failed")));
    assert_eq!((&told["caller"]["flow"], &told["caller"]["run"]), (&json!("asks"), &caller["id"]));
    assert_eq!(told["alert_type"], "call_failed");
    let stray = runner.run("shop/strays", &json!({ "to": "alerts.nothing" }));
    let found = handlers(&runner, id(&stray), 2);
    let refused = found.iter().find(|run| run["workspace"] == "ops").unwrap();
    let told = runner.show(id(refused))["inputs"].clone();
    assert_eq!((&told["state"], &told["service"]), (&json!("refused"), &json!("alerts.nothing")));
    assert_eq!(told["error"]["code"], stray["error"]["code"]);
}

#[test]
fn a_handler_survives_a_kill_and_starts_once() {
    let road = road();
    for _ in 0..5 {
        let runner = road.start();
        let failed = runner.run("shop/order", &json!({ "fail": true }));
        // The end is durable, and with it the run that handles it.
        runner.kill9();
        let runner = road.start();
        let found = handlers(&runner, id(&failed), 1);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0]["state"], "succeeded");
    }
    let runner = road.start();
    quiet(&runner);
    let notes = runner.list("/runs?limit=1000&flow=note&workspace=shop");
    assert_eq!(notes.len(), 5, "within {PATIENCE:?}");
}

#[test]
fn a_schedule_has_handlers_of_its_own() {
    let road = road();
    let served = "on_failure: note\nschedules:\n  \
        - { name: night, cron: \"* * * * * *\", on_failure: night, on_recovery: recovered }\n\
        run: 'if state::get(\"well\") != true { throw \"no\" } 1'\n";
    road.push_script("shop/flows/night.rhai", "inputs.trigger");
    road.push_script("shop/flows/mend.rhai", "state::set(\"well\", true)");
    road.push("shop/flows/nightly.yaml", served);
    let runner = road.start();
    let of = |flow: &str| runner.list(&format!("/runs?workspace=shop&flow={flow}&limit=1000"));
    eventually("the schedule's own handler hears of it", || (of("night").len() > 1).then_some(()));
    let asked = runner.run("shop/nightly", &json!({}));
    assert_eq!(handlers(&runner, id(&asked), 1)[0]["flow"], "note");
    let failed = of("nightly").into_iter().find(|run| run["trigger"]["kind"] == "schedule");
    runner.result("shop/mend");
    eventually("the recovery is told", || (!of("recovered").is_empty()).then_some(()));
    // Whoever runs it again has the schedule's handlers, too, and there is nothing left to tell.
    let failed = failed.unwrap();
    rerun(&runner, id(&failed));
    eventually("it goes on well", || {
        let well = of("nightly").iter().filter(|run| run["state"] == "succeeded").count();
        (well > 4).then_some(())
    });
    assert_eq!(of("recovered").len(), 1);
    assert!(of("night").iter().all(|run| run["trigger"]["of"] != asked["id"]));
    assert_eq!(of("note").len(), 1);
}

#[test]
fn a_run_that_is_late_while_it_waits_is_told_of() {
    let road = road();
    road.push(
        "shop/flows/late.yaml",
        "inputs: { wait: { type: boolean, default: true } }\ndeadline: 1s\n\
         on_recovery: recovered\nrun: 'if inputs.wait { sleep(3600) } 1'\n",
    );
    let runner = road.start();
    let run = runner.accept("shop/late", &json!({}));
    let late = runner.ended(&run);
    assert_eq!((&late["state"], &late["reason"]), (&json!("failed"), &json!("timed_out")));
    let found = handlers(&runner, &run, 1);
    assert_eq!(found.len(), 1, "{found:#?}");
    let told = &runner.show(id(&found[0]))["inputs"];
    assert_eq!((&told["reason"], &told["error"]["code"]), (&json!("timed_out"), &json!("SB0502")));
    assert_eq!(told["started_at"], late["started_at"]);
    let well = runner.run("shop/late", &json!({ "wait": false }));
    assert_eq!(handlers(&runner, id(&well), 1)[0]["flow"], "recovered");
}

#[test]
fn what_continues_a_handler_is_one() {
    let road = road();
    let again = "if \"error\" in inputs { continue_as(#{}) } throw \"I too\"";
    road.push_script("shop/flows/again.rhai", again);
    road.push("shop/flows/bad.yaml", "on_failure: again\nrun: 'throw \"bad\"'\n");
    let runner = road.start();
    let failed = runner.run("shop/bad", &json!({}));
    handlers(&runner, id(&failed), 1);
    quiet(&runner);
    let mut states: Vec<_> = runner.list("/runs").iter().map(|run| run["state"].clone()).collect();
    states.sort_by_key(ToString::to_string);
    assert_eq!(
        states,
        ["failed", "failed", "succeeded"],
        "the failed one, its handler, and that's successor"
    );
    let successor = runner.list("/runs?state=failed&flow=again").remove(0);
    rerun(&runner, id(&successor));
    quiet(&runner);
    assert_eq!(runner.list("/runs").len(), 4, "nor is what repeats it handled");
}

#[test]
fn a_cancelled_run_is_nobodys_failure() {
    let road = road();
    road.push_script("shop/flows/long.rhai", "loop { }");
    let runner = road.start();
    let run = runner.accept("shop/long", &json!({}));
    runner.until(&run, "running");
    runner.cli(&["cancel", &run]).ends(0);
    runner.ended(&run);
    assert_eq!(runner.list("/runs").len(), 1);
}

#[test]
fn a_run_whose_revision_is_lost_is_told_of_by_what_is_live() {
    let road = Scene::platform()
        .file("ops/flows/naps.yaml", "on_failure: note\nrun: sleep(3600)\n")
        .script("ops/flows/note.rhai", "inputs.run")
        .road();
    let runner = road.start();
    let run = runner.accept("ops/naps", &json!({}));
    runner.until(&run, "suspended");
    let pinned = runner.show(&run)["deployment"].clone();
    road.push_script("ops/flows/other.rhai", "1");
    runner.sync();
    assert!(runner.terminate().success());
    let db = rusqlite::Connection::open(road.launch.data().join("signalbox.db")).unwrap();
    db.execute(
        "UPDATE deployments SET spec = '{' WHERE id = (SELECT min(id) FROM deployments)",
        [],
    )
    .unwrap();
    db.execute("UPDATE waits SET until = 1", []).unwrap();
    drop(db);
    let runner = road.start();
    let found = handlers(&runner, &run, 1);
    assert_eq!(runner.ended(&run)["state"], "failed");
    assert_eq!((found.len(), &found[0]["flow"]), (1, &json!("note")));
    assert_ne!(found[0]["deployment"], pinned);
    assert_eq!(runner.show(id(&found[0]))["result"], json!(run));
}

/// Kills the runner each time that a run asks something of the gate, until the run is over. Answers
/// how often that was.
#[track_caller]
fn die_of(flow: &str) -> usize {
    let gate = Gate::closed();
    let flow = format!("on_failure: note\nrun: '{flow} {}'\n", gate.ask());
    let road = Scene::new(&[("ops", "platform", &gate.grant())])
        .file("ops/flows/deadly.yaml", flow)
        .script("ops/flows/note.rhai", "inputs")
        .road();
    let mut runner = road.start();
    let run = runner.accept("ops/deadly", &json!({}));
    let mut asked = 0;
    loop {
        let over = eventually("it asks once more, or is over", || {
            let failed = runner.show(&run)["state"] == "failed";
            (failed || gate.requests().len() > asked).then_some(failed)
        });
        if over {
            break;
        }
        asked = gate.requests().len();
        assert!(asked < 10, "it is tried again and again");
        runner.kill9();
        runner = road.start();
    }
    assert_eq!(runner.show(&run)["reason"], "cell_lost");
    let notes = runner.list("/runs?flow=note&limit=10");
    assert_eq!(notes.len(), 1, "{notes:#?}");
    assert_eq!(runner.ended(notes[0]["id"].as_str().unwrap())["state"], "succeeded");
    asked
}

#[test]
fn a_run_that_its_runner_dies_of_fails_in_the_end_and_its_handler_hears_of_it() {
    assert!(die_of("state::add(\"begun\", 1);") > 2, "it was tried again");
}

#[test]
fn a_run_that_its_runner_dies_of_before_anything_of_it_is_on_record_ends_too() {
    assert!(die_of("") > 2, "it was tried again");
}

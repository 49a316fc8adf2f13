//! The platform's flows.

use serde_json::{Value, json};
use signalbox_e2e::eventually;

use crate::docker::OLD;
use crate::home::{Home, done, ended, example};

#[test]
fn the_example_has_no_fault_and_no_warning() {
    let home = Home::new();
    let (code, found) = home.road.validate();
    assert_eq!((code, &found["diagnostics"]), (0, &json!([])), "{found:#}");
}

#[test]
fn an_ill_container_is_told_of_once_restarted_and_given_up_at_last() {
    let home = Home::new();
    let runner = home.start();
    let look = "homeops-platform/infrastructure/docker-health-check";
    let restart = "homeops-platform/infrastructure/service-auto-restart";
    let once = json!({ "most": 2, "settle": "200ms" });
    assert_eq!(done(&runner, look, &json!({}))["ill"], json!([]));
    home.docker.state.lock().unwrap().falls_ill("plex");
    assert_eq!(done(&runner, look, &json!({}))["ill"], json!(["plex"]));
    assert_eq!(done(&runner, look, &json!({}))["changes"], json!([]));
    assert_eq!(home.said(), ["container/plex is unhealthy, and was running"]);

    let helped = done(&runner, restart, &once);
    assert_eq!((&helped["restarted"], &helped["well"]), (&json!(["plex"]), &json!(["plex"])));
    home.docker.state.lock().unwrap().falls_ill("plex");
    home.docker.state.lock().unwrap().heals = false;
    let useless = done(&runner, restart, &once);
    assert_eq!((&useless["restarted"], &useless["well"]), (&json!(["plex"]), &json!([])));
    assert_eq!(home.docker.state.lock().unwrap().restarted, ["plex", "plex"]);
    assert_eq!(done(&runner, restart, &once)["given_up"], json!(["plex"]));
    home.hears("[HIGH] container-given-up: still ill after 2 restarts: plex");
}

#[test]
fn what_goes_away_in_the_network_is_told() {
    let home = Home::new();
    let runner = home.start();
    let flow = "homeops-platform/infrastructure/network-monitoring";
    let target =
        |path: &str| json!({ "targets": [{ "name": "docker", "url": home.docker.url() + path }] });
    let seen = done(&runner, flow, &target("/v1.43/containers/json?all=true"));
    assert_eq!((&seen["up"], &seen["down"]), (&json!(1), &json!(0)));
    done(&runner, flow, &target("/nothing"));
    assert_eq!(home.said(), ["docker is failing, and was up"]);
    assert_eq!(ended(&runner, "homeops-platform/monitoring/tell-changes", 1).len(), 1);
}

const DEPLOY: &str = "homeops-platform/deployment/deploy-subproject";
const VERIFY: &str = "homeops-platform/deployment/verify-deployment";

#[test]
fn a_deployment_arrives_or_is_taken_back() {
    let home = Home::new();
    let runner = home.start();
    let new = "registry.local/media/player:2.0";
    let inputs = json!({ "service": "media-player", "image": new });
    let seen = done(&runner, DEPLOY, &inputs);
    assert_eq!((&seen["from"], &seen["changed"]), (&json!(OLD), &json!(true)));
    assert_eq!(home.docker.state.lock().unwrap().image, new);
    assert_eq!(done(&runner, DEPLOY, &inputs)["changed"], false);

    // Looks are ten seconds apart; whoever asks again looks in place of the one that waits.
    let look = |image: &str, looks: u32| json!({ "service": "media-player", "image": image, "every": "50ms", "looks": looks });
    new.clone_into(&mut home.docker.state.lock().unwrap().running);
    assert_eq!(done(&runner, VERIFY, &look(new, 360))["arrived"], true);
    let runs = ended(&runner, VERIFY, 2);
    assert_eq!(runs[1]["reason"], "superseded", "{runs:#?}");

    let third = "registry.local/media/player:3.0";
    done(&runner, DEPLOY, &json!({ "service": "media-player", "image": third }));
    assert_eq!(done(&runner, VERIFY, &look(third, 2))["arrived"], false);
    assert_eq!(home.docker.state.lock().unwrap().image, new);
    let told = format!("[HIGH] deployment-taken-back: media-player did not arrive at {third}");
    assert_eq!(home.said(), [format!("media-player goes back from {third}"), told]);
}

#[test]
fn a_flow_that_fails_is_told_and_so_is_that_it_works_again() {
    let home = Home::new();
    let runner = home.start();
    let bad = json!({ "service": "media-player", "image": "player; rm -rf /" });
    assert_eq!(runner.run(DEPLOY, &bad)["state"], "failed");
    home.hears("[HIGH] run_failed: ");
    let good = json!({ "service": "media-player", "image": OLD });
    assert_eq!(done(&runner, DEPLOY, &good)["changed"], false);
    home.hears("[low] run_recovered: ");
}

#[test]
fn somebody_can_have_a_service_go_back() {
    let home = Home::new();
    let runner = home.start();
    let inputs = json!({ "service": "media-player", "image": "registry.local/media/player:2.0" });
    done(&runner, DEPLOY, &inputs);
    let back = json!({ "service": "media-player" });
    let seen = done(&runner, "homeops-platform/deployment/rollback-deployment", &back);
    assert_eq!(seen["left"], "registry.local/media/player:2.0");
    assert_eq!(home.docker.state.lock().unwrap().image, OLD);
}

#[test]
fn a_maintenance_window_ends_by_itself_and_a_new_one_takes_its_place() {
    let home = Home::new();
    let look = "windmill/flows/infrastructure/docker-health-check.yaml";
    home.road.push(look, &example(look).replace("*/2 * * * *", "* * * * * *"));
    let runner = home.start();
    let looks = |reason: Value| {
        eventually(&format!("the last look ended with {reason}"), || {
            let runs = runner.list("/runs?flow=infrastructure/docker-health-check&limit=1");
            let ended = |run: &Value| run["ended_at"].is_string() && run["reason"] == reason;
            runs.iter().any(ended).then_some(())
        });
    };
    let window = "homeops-platform/maintenance/maintenance-window";
    let long = runner.accept(window, &json!({ "length": "1h" }));
    runner.until(&long, "suspended");
    looks(json!("not_wanted"));
    done(&runner, window, &json!({ "length": "50ms" }));
    assert_eq!(runner.show(&long)["reason"], "superseded");
    home.hears("the maintenance window is over");
    looks(Value::Null);
}

#[test]
fn a_machine_that_runs_short_is_told_of_once() {
    let home = Home::new();
    let runner = home.start();
    let flow = "homeops-platform/monitoring/system-resources-check";
    let none = json!({ "cpu": 100, "memory": 100, "disk": 100 });
    assert_eq!(done(&runner, flow, &none)["changes"], json!([]));
    let all = json!({ "cpu": 100, "memory": 0, "disk": 100 });
    let seen = done(&runner, flow, &all);
    assert!(seen["short"].as_array().unwrap().contains(&json!("memory")), "{seen:#}");
    done(&runner, flow, &all);
    let told = home.said();
    let of_memory = told.iter().filter(|text| text.starts_with("machine/memory"));
    assert_eq!(of_memory.collect::<Vec<_>>(), ["machine/memory is short, and was enough"]);
}

#[test]
fn the_week_is_summed_up_and_its_counters_can_be_reset() {
    let home = Home::new();
    let runner = home.start();
    done(&runner, "homeops-platform/monitoring/count-event", &json!({ "event": "x", "by": 4 }));
    done(&runner, "homeops-platform/maintenance/system-backup", &json!({}));
    done(&runner, "homeops-platform/monitoring/weekly-system-report", &json!({}));
    let said = home.said();
    let lines: Vec<&str> = said[0].lines().collect();
    assert_eq!(lines[..2], ["This week", "stats/events/x: 4"]);
    assert!(lines[2].starts_with("memory "), "{said:?}");
    assert!(lines[3].starts_with("backups/homeops: /backups/homeops-"), "{said:?}");
    let reset = done(&runner, "homeops-platform/maintenance/reset-statistics", &json!({}));
    assert_eq!(reset["forgotten"], 1);
}

#[test]
fn maintenance_cleans_up_and_keeps_the_newest_dumps() {
    let home = Home::new();
    let runner = home.start();
    let images = done(&runner, "homeops-platform/maintenance/docker-image-cleanup", &json!({}));
    assert_eq!(images, json!({ "images": 2, "bytes": 7_340_032 }));
    let database = done(&runner, "homeops-platform/maintenance/database-maintenance", &json!({}));
    assert_eq!(database, json!({ "database": "homeops", "bytes": 8_675_309 }));
    home.docker.state.lock().unwrap().backups =
        ["homeops-20200101T030000.dump", "other.txt"].map(str::to_owned).into();
    let backup = "homeops-platform/maintenance/system-backup";
    let seen = done(&runner, backup, &json!({ "keep": 1 }));
    assert_eq!(seen["removed"], json!(["homeops-20200101T030000.dump"]), "{seen:#}");
    let file = seen["file"].as_str().unwrap().trim_start_matches("/backups/").to_owned();
    assert_eq!(home.docker.state.lock().unwrap().backups, ["other.txt".to_owned(), file]);
    let bad = runner.run(backup, &json!({ "database": "x; drop" }));
    assert_eq!(bad["state"], "failed", "{bad:#}");
}

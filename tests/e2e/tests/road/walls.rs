//! Promise 6, seen from outside: how far scripts are walled in is tried, shown, held and demanded.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::json;
use signalbox_e2e::Scene;
use signalbox_testkit::Launch;

#[test]
fn a_run_says_how_far_it_was_walled_in() {
    let scene = Scene::platform().script("ops/flows/hello.rhai", "1");
    for (refused, level) in [(None, "L3"), (Some(libc::SYS_unshare), "L2")] {
        let mut road = scene.road();
        road.launch = refused.into_iter().fold(road.launch, Launch::without);
        let runner = road.start();
        assert!(runner.serve().stderr().contains(&format!("isolation   {level}")));
        let run = runner.run("ops/hello", &json!({}));
        assert_eq!((&run["state"], &run["isolation"]), (&json!("succeeded"), &json!(level)));
    }
}

#[test]
fn a_runner_does_not_start_behind_fewer_walls_than_demanded() {
    let mut road = Scene::platform().road();
    road.launch = road.launch.without(libc::SYS_unshare).arg("--require-isolation").arg("L3");
    let (status, said) = road.launch.start_failing();
    assert_eq!(status.code(), Some(4), "{said}");
    assert!(said.contains("SB0707") && said.contains("L3"), "{said}");
}

#[test]
fn a_run_is_refused_behind_fewer_walls_than_its_workspace_demands() {
    let mut road = Scene::new(&[("ops", "platform", ""), ("shop", "domain", "")])
        .file("ops/workspace.yaml", "isolation: { min: L3 }\n")
        .file("shop/workspace.yaml", "isolation: { min: L2 }\n")
        .script("ops/flows/hello.rhai", "1")
        .script("shop/flows/hello.rhai", "1")
        .road();
    road.launch = road.launch.without(libc::SYS_unshare);
    let runner = road.start();
    assert_eq!(runner.result("shop/hello"), 1);
    let refused = runner.run("ops/hello", &json!({}));
    assert_eq!((&refused["state"], &refused["reason"]), (&json!("failed"), &json!("denied")));
    assert_eq!(refused["error"]["code"], "SB0707", "{refused:#}");
}

#[test]
fn a_demanded_level_that_is_reached_is_no_hindrance() {
    let mut road = Scene::platform().script("ops/flows/hello.rhai", "1").road();
    road.launch = road.launch.arg("--require-isolation").arg("L3");
    assert_eq!(road.start().result("ops/hello"), 1);
}

#[test]
fn root_of_a_namespace_that_knows_nobody_else_has_cells() {
    let mut road = Scene::platform().road();
    let script = road.repo.path().join("apart.sh");
    let program = format!(
        "#!/bin/sh\nexec unshare --user --map-root-user {} \"$@\"\n",
        signalbox_e2e::binary().display()
    );
    std::fs::write(&script, program).unwrap();
    std::fs::set_permissions(&script, Permissions::from_mode(0o755)).unwrap();
    road.launch = Launch::new(script, road.repo.path());
    let runner = road.start();
    let run = runner.run("ops/hello", &json!({}));
    assert_eq!((&run["state"], &run["isolation"]), (&json!("succeeded"), &json!("L3")), "{run:#}");
}

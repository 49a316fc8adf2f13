//! Story 2: repositories of every shape, and who looks at them when.

use std::thread;

use serde_json::{Value, json};
use signalbox_e2e::{Road, Scene, binary, column, eventually, root};
use signalbox_testkit::{HttpStub, Launch, Response};

#[test]
fn a_bare_repository_is_served_by_its_url() {
    let mut road = Scene::pair("", "").road();
    let bare = road.repo.clone_bare();
    road.launch = Launch::new(binary(), bare.url()).arg("--poll").arg("1h");
    let runner = road.start();
    assert_eq!(runner.result("shop/hello"), "hello from shop");
    road.push_script("shop/flows/hello.rhai", "`pushed`");
    road.repo.push(&bare);
    assert_eq!(runner.sync_of("shop")["outcome"], "deployed");
    assert_eq!(runner.result("shop/hello"), "pushed");
}

#[test]
fn a_branch_is_followed_whatever_is_checked_out() {
    let mut road = Scene::platform().road();
    road.repo.git(&["branch", "live"]);
    road.push_script("ops/flows/hello.rhai", "`on main`");
    road.launch = road.launch.arg("--branch").arg("live");
    let runner = road.start();
    assert_eq!(runner.result("ops/hello"), "hello from ops");
    road.repo.git(&["branch", "--force", "live", "main"]);
    assert_eq!(runner.sync_of("ops")["outcome"], "deployed");
    assert_eq!(runner.result("ops/hello"), "on main");
}

#[test]
fn a_folder_inside_of_the_repository_can_be_the_root() {
    let inner = Scene::platform();
    let scene = inner.files().fold(Scene::new(&[]), |scene, (path, content)| {
        scene.file(&format!("automation/{path}"), content)
    });
    let mut road = scene.file("signalbox.yaml", "this is another tool's file\n").road();
    road.launch = road.launch.arg("--root").arg("automation");
    let runner = road.start();
    assert_eq!(runner.result("ops/hello"), "hello from ops");
}

#[test]
fn a_manifest_on_the_host_stands_in_for_the_repositorys() {
    let stub = HttpStub::start(|_| Response::text(200, "reached"));
    let grant = format!("network: [\"{}\"]", stub.url());
    let mut road = Scene::new(&[("ops", "platform", &grant)])
        .script("ops/flows/get.rhai", &format!("http::get(\"{}\").text()", stub.url()))
        .road();
    let own = road.launch.home().join("own.yaml");
    std::fs::write(&own, root(&[("ops", "platform", "")])).unwrap();
    road.launch = road.launch.arg("--manifest").arg(&own);
    let runner = road.start();
    // The repository grants itself what the host does not.
    assert_eq!(runner.error("ops/get")["code"], "SB0506");
    assert_eq!(stub.requests(), []);
    std::fs::write(&own, root(&[("ops", "platform", &grant)])).unwrap();
    assert_eq!(runner.sync_of("ops")["outcome"], "deployed");
    assert_eq!(runner.result("ops/get"), "reached");
}

#[test]
fn a_commit_is_found_without_being_told() {
    let mut road = Scene::platform().road();
    road.launch = Launch::new(binary(), road.repo.path()).arg("--poll").arg("100ms");
    let runner = road.start();
    let commit = road.push_script("ops/flows/hello.rhai", "`found`");
    eventually("the commit is live", || {
        (runner.get("/workspaces/ops")["live_revision"] == commit.as_str()).then_some(())
    });
    assert_eq!(runner.result("ops/hello"), "found");
    let last = &runner.list("/workspaces/ops/deployments")[0];
    assert_eq!((&last["commit"], &last["hint"]), (&json!(commit), &json!("poll")));
}

#[test]
fn many_hints_at_once_deploy_once_and_all_get_the_answer() {
    let road = Scene::platform().road();
    let runner = road.start();
    let commit = road.push_script("ops/flows/hello.rhai", "`newest`");
    thread::scope(|scope| {
        let asking: Vec<_> = (0..12).map(|_| scope.spawn(|| runner.sync())).collect();
        for one in asking {
            assert_eq!(one.join().unwrap()["revision"], commit.as_str());
        }
    });
    let all = column(&runner.list("/workspaces/ops/deployments"), "outcome");
    assert_eq!(all, ["deployed", "deployed"]);
    assert_eq!(runner.result("ops/hello"), "newest");
}

#[test]
fn the_newest_of_many_commits_wins() {
    let road = Scene::platform().road();
    let runner = road.start();
    thread::scope(|scope| {
        let asking = scope.spawn(|| (0..10).map(|_| runner.sync()).collect::<Vec<Value>>());
        for number in 0..10 {
            road.push_script("ops/flows/hello.rhai", &format!("{number}"));
        }
        asking.join().unwrap();
    });
    runner.sync();
    assert_eq!(runner.result("ops/hello"), 9);
}

/// An example of the project as a repository.
fn example(name: &str) -> Road {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples").join(name);
    let mut road = Scene::new(&[]).road();
    road.repo.git(&["rm", "-r", "--quiet", "."]);
    let copied = std::process::Command::new("cp")
        .arg("-r")
        .arg(folder.join("."))
        .arg(road.repo.path())
        .status()
        .unwrap();
    assert!(copied.success());
    road.repo.commit("the example");
    road.launch = Launch::new(binary(), road.repo.path()).arg("--poll").arg("1h");
    road
}

#[test]
fn the_examples_are_valid_and_live() {
    for name in ["hello", "two-workspaces", "homeops"] {
        let road = example(name);
        let (code, document) = road.validate();
        assert_eq!((code, &document["diagnostics"]), (0, &json!([])), "{name}: {document:#}");
        let runner = road.start();
        runner.cli(&["status"]).ends(0);
    }
}

#[test]
fn the_example_of_two_workspaces_calls_through_the_broker() {
    let road = example("two-workspaces");
    let runner = road.start();
    let flow = runner.list("/workspaces/shop/flows").remove(0);
    let flow = format!("shop/{}", flow["name"].as_str().unwrap());
    let run = runner.run(&flow, &json!({ "item": "bread" }));
    assert_eq!(
        (&run["state"], &run["result"]["order"]),
        (&json!("succeeded"), &json!(1)),
        "{run:#}"
    );
    assert_eq!(column(&runner.list("/calls"), "decision"), ["allowed"]);
}

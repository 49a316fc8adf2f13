//! Starting, stopping, and whose data it is.

use serde_json::json;
use signalbox_e2e::{Gate, Scene, cells, eventually, is_alive};

#[test]
fn a_data_directory_in_use_is_refused() {
    let road = Scene::platform().road();
    let _runner = road.start();
    let (status, said) = road.launch.start_failing();
    assert_eq!(status.code(), Some(4), "{said}");
    assert!(said.contains("SB0702"), "{said}");
}

#[test]
fn a_data_directory_of_a_newer_version_is_refused_and_left_as_it_is() {
    let road = Scene::platform().road();
    assert!(road.start().terminate().success());
    let database = road.launch.data().join("signalbox.db");
    let connection = rusqlite::Connection::open(&database).unwrap();
    connection.execute("INSERT INTO migrations VALUES (1000, x'00', 0)", []).unwrap();
    drop(connection);
    let bytes = std::fs::read(&database).unwrap();
    let (status, said) = road.launch.start_failing();
    assert_eq!(status.code(), Some(4), "{said}");
    assert!(said.contains("SB0701"), "{said}");
    assert!(std::fs::read(&database).unwrap() == bytes, "the database was changed");
}

#[test]
fn a_data_directory_that_is_a_file_is_refused() {
    let road = Scene::platform().road();
    std::fs::write(road.launch.data(), "something else").unwrap();
    let (status, said) = road.launch.start_failing();
    assert_eq!(status.code(), Some(4), "{said}");
    assert!(said.contains("SB0703"), "{said}");
    assert_eq!(std::fs::read_to_string(road.launch.data()).unwrap(), "something else");
}

#[test]
fn a_database_that_is_none_is_refused() {
    let road = Scene::platform().road();
    std::fs::create_dir(road.launch.data()).unwrap();
    std::fs::write(
        road.launch.data().join("signalbox.db"),
        "this is no database at all\n".repeat(200),
    )
    .unwrap();
    let (status, said) = road.launch.start_failing();
    assert_eq!(status.code(), Some(4), "{said}");
    assert!(said.contains("SB070") && !said.contains("panicked"), "{said}");
}

#[test]
fn a_repository_that_is_none_is_refused() {
    let road = Scene::platform().road();
    std::fs::remove_dir_all(road.repo.path().join(".git")).unwrap();
    let (status, said) = road.launch.start_failing();
    assert!(matches!(status.code(), Some(3 | 4)), "{said}");
    assert!(said.contains("SB0406"), "{said}");
}

#[test]
fn a_repository_without_a_commit_is_served_and_waits_for_one() {
    let road = Scene::platform().road();
    road.repo.git(&["symbolic-ref", "HEAD", "refs/heads/later"]);
    let runner = road.start();
    assert_eq!(runner.list("/workspaces").len(), 0);
    road.repo.git(&["update-ref", "refs/heads/later", "main"]);
    assert_eq!(runner.sync_of("ops")["outcome"], "deployed");
    assert_eq!(runner.result("ops/hello"), "hello from ops");
}

#[test]
fn an_address_beyond_this_machine_needs_a_token() {
    let mut road = Scene::platform().road();
    road.launch = road.launch.arg("--branch").arg("main");
    let data = road.launch.data().display().to_string();
    let repo = road.repo.path().display().to_string();
    let said = road.cli(&["serve", "--repo", &repo, "--data", &data, "--listen", "0.0.0.0:0"]);
    assert_eq!(said.code, 3, "{said:?}");
    assert!(said.stderr.contains("token"), "{said:?}");
}

#[test]
fn with_a_token_nothing_is_answered_without_it() {
    let road = Scene::platform().road();
    let data = road.launch.data().display().to_string();
    let said = road.cli(&["token", "new", "--data", &data]).ends(0);
    let token = said.stdout.trim().to_owned();
    let runner = road.start();
    for client in [
        runner.client().clone(),
        runner.client().clone().header("authorization", "Bearer wrong"),
        runner.client().clone().header("authorization", &format!("Basic {token}")),
    ] {
        for path in
            ["/api/v1/workspaces", "/api/v1/runs", "/metrics", "/api/openapi.json", "/nothing"]
        {
            let answer = client.get(path);
            assert_eq!((answer.status, &answer.json()["code"]), (401, &json!("SB0604")), "{path}");
        }
        assert_eq!(client.get("/healthz").status, 200);
    }
    let client = runner.client().clone().header("authorization", &format!("Bearer {token}"));
    assert_eq!(client.get("/api/v1/workspaces").status, 200);
    runner.cli(&["status"]).ends(3);
    let stored: Vec<_> = std::fs::read_dir(road.launch.data())
        .unwrap()
        .map(|entry| std::fs::read(entry.unwrap().path()).unwrap_or_default())
        .collect();
    let held =
        stored.iter().any(|file| file.windows(token.len()).any(|part| part == token.as_bytes()));
    assert!(!held, "the token itself is stored");
}

#[test]
fn sigterm_under_load_ends_with_0_leaves_no_cell_and_loses_no_run() {
    let gate = Gate::closed();
    let body = format!("state::add(\"begun\", 1);\n{};\nstate::add(\"done\", 1)", gate.ask());
    let grants = format!("{}, limits: {{ concurrency: 3 }}", gate.grant());
    let road = Scene::new(&[("ops", "platform", &grants)])
        .script("ops/flows/work.rhai", &body)
        .script("ops/flows/count.rhai", "[state::get(\"begun\"), state::get(\"done\")]")
        .road();
    let runner = road.start();
    let runs: Vec<_> = (0..8).map(|_| runner.accept("ops/work", &json!({}))).collect();
    gate.wait_for(3);
    let left = runner.cells();
    assert_eq!(left.len(), 3);
    let pid = runner.pid();
    let status = runner.terminate();
    assert_eq!(status.code(), Some(0));
    for cell in left {
        eventually("the cell is gone", || (!is_alive(cell.pid())).then_some(()));
    }
    assert_eq!(cells(pid), []);
    gate.open();
    let runner = road.start();
    for run in &runs {
        assert_eq!(runner.ended(run)["state"], "succeeded");
    }
    assert_eq!(runner.result("ops/count"), json!([8, 8]));
}

#[test]
fn a_run_that_can_end_in_the_grace_ends_before_the_stop() {
    let gate = Gate::closed();
    let road = Scene::new(&[("ops", "platform", &gate.grant())])
        .script("ops/flows/work.rhai", &format!("{}; `done`", gate.ask()))
        .road();
    let runner = road.start();
    let run = runner.accept("ops/work", &json!({}));
    gate.wait_for(1);
    std::thread::scope(|scope| {
        let stopping = scope.spawn(|| runner.terminate());
        gate.open();
        assert_eq!(stopping.join().unwrap().code(), Some(0));
    });
    let runner = road.start();
    assert_eq!(runner.ended(&run)["result"], "done");
    assert_eq!(gate.requests().len(), 1);
}

#[test]
fn cells_do_not_outlive_a_runner_that_was_killed() {
    let gate = Gate::closed();
    let road = Scene::new(&[("ops", "platform", &gate.grant())])
        .script("ops/flows/spin.rhai", &format!("{}; loop {{ }}", gate.ask()))
        .road();
    let runner = road.start();
    runner.accept("ops/spin", &json!({}));
    gate.wait_for(1);
    gate.open();
    let left = runner.cells();
    runner.kill9();
    for cell in left {
        eventually("the cell is gone", || (!is_alive(cell.pid())).then_some(()));
    }
}

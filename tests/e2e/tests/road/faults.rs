//! Promise 1, reasons: every fault of every file, with file, line, column, code and help, wherever
//! somebody looks.

use signalbox_e2e::{Road, Scene, diagnostics};

/// Five files with eight faults in two workspaces.
fn road() -> Road {
    let road = Scene::pair("", "").road();
    road.repo
        .write(
            "ops/workspace.yaml",
            "titel: Operations\nexports:\n  a.b: { flow: none, callers: [domains] }\n",
        )
        .write("shop/flows/scan.yaml", "inputs:\n  n: { type: strng }\nscedules: []\nrun: 1 +\n")
        .write(
            "shop/flows/late.yaml",
            "schedules: [{ cron: \"99 * * * *\", timezone: UTC }]\nrun: '1'\n",
        )
        .write("shop/flows/hello.rhai", "fn main(inputs) {\n    unknown_thing(1);\n}\n")
        .write("shop/flows/bare.rhai", "1 + 1\n");
    road
}

/// Where the faults are.
fn expected() -> Vec<(&'static str, &'static str, u64)> {
    vec![
        ("SB0103", "ops/workspace.yaml", 1),
        ("SB0103", "shop/flows/scan.yaml", 3),
        ("SB0107", "shop/flows/scan.yaml", 2),
        ("SB0115", "shop/flows/late.yaml", 1),
        ("SB0117", "ops/workspace.yaml", 3),
        ("SB0201", "shop/flows/scan.yaml", 4),
        ("SB0202", "shop/flows/hello.rhai", 2),
        ("SB0205", "shop/flows/bare.rhai", 1),
    ]
}

#[track_caller]
fn check(list: &serde_json::Value) {
    let found = diagnostics(list);
    let places: Vec<_> =
        found.iter().map(|(code, file, line, _)| (code.as_str(), file.as_str(), *line)).collect();
    assert_eq!(places, expected(), "{list:#}");
    assert!(found.iter().all(|(_, _, _, column)| *column > 0), "{found:?}");
    let help = |code: &str| {
        let all = list.as_array().unwrap().iter();
        all.filter(|item| item["code"] == code).all(|item| item["help"].is_string())
    };
    assert!(help("SB0103") && help("SB0107"), "{list:#}");
}

/// The diagnostics of every item that has some, as one list.
fn gathered(items: &serde_json::Value, pointer: &str) -> serde_json::Value {
    let items = items.as_array().unwrap().iter();
    let all = items.filter_map(|item| item.pointer(pointer)?.as_array()).flatten();
    all.cloned().collect()
}

#[test]
fn validate_lists_every_fault_and_ends_with_3() {
    let road = road();
    let (code, document) = road.validate();
    assert_eq!(code, 3);
    assert_eq!(document["ok"], false);
    check(&document["diagnostics"]);
}

#[test]
fn a_platform_with_a_fault_does_not_make_faults_of_every_call_to_it() {
    let offer =
        "exports:\n  a.b: { flow: hello, callers: [domains] }\nmay_start: { shop: [hello] }\n";
    let ask = "uses: [a.b]\naccepts: [hello]\n";
    let call = "call: { service: a.b }\n";
    let road = Scene::pair("", "")
        .file("ops/workspace.yaml", offer)
        .file("ops/flows/start.yaml", "call: { workspace: shop, flow: hello }\n")
        .file("shop/workspace.yaml", ask)
        .file("shop/flows/ask.yaml", call)
        .road();
    assert_eq!(road.validate().0, 0);
    for (file, content) in
        [("ops/flows/typo.yaml", "rnu: '1'\n"), ("shop/flows/typo.yaml", "rnu: '1'\n")]
    {
        road.repo.write(file, content);
        let (_, document) = road.validate();
        let found = diagnostics(&document["diagnostics"]);
        assert!(found.iter().all(|(_, place, ..)| place == file), "{found:?}");
        road.repo.write(file, "run: '1'\n");
    }
}

#[test]
fn validate_shows_faults_as_a_person_reads_them() {
    let road = road();
    let folder = road.repo.path().display().to_string();
    let said = road.cli(&["validate", &folder]).ends(3);
    for part in [
        "error[SB0103]: unknown field `scedules`",
        "--> shop/flows/scan.yaml:3:1",
        "scedules: []",
        "did you mean `schedules`?",
        "shop/flows/hello.rhai:2:5",
    ] {
        assert!(said.stdout.contains(part), "`{part}` is missing in\n{}", said.stdout);
    }
}

#[test]
fn sync_lists_every_fault_and_ends_with_1() {
    let road = road();
    let runner = road.start();
    road.repo.commit("six faults");
    let report = runner.cli(&["sync", "--wait", "--json"]).ends(1).json();
    check(&gathered(&report["workspaces"], "/diagnostics"));
    let said = runner.cli(&["sync", "--wait"]).ends(1);
    for (code, file, line) in expected() {
        let place = format!("{file}:{line}:");
        assert!(said.stderr.contains(code), "{code} is missing in {}", said.stderr);
        assert!(said.stderr.contains(&place), "{place} is missing in {}", said.stderr);
    }
}

#[test]
fn status_lists_every_fault_and_ends_with_1() {
    let road = road();
    let runner = road.start();
    road.repo.commit("six faults");
    runner.sync();
    let status = runner.cli(&["status", "--json"]).ends(1).json();
    assert_eq!(status["healthy"], false);
    check(&gathered(&status["workspaces"], "/last_deployment/diagnostics"));
    let said = runner.cli(&["status"]).ends(1);
    for (code, file, line) in expected() {
        let talk = format!("{}{}", said.stdout, said.stderr);
        let place = format!("{file}:{line}:");
        assert!(talk.contains(code) && talk.contains(&place), "{code} {place}: {talk}");
    }
}

#[test]
fn the_api_lists_every_fault() {
    let road = road();
    let runner = road.start();
    road.repo.commit("six faults");
    runner.sync();
    let workspaces = runner.list("/workspaces");
    check(&gathered(&workspaces.into(), "/last_deployment/diagnostics"));
    let mut all = Vec::new();
    for workspace in ["ops", "shop"] {
        let deployment = runner.list(&format!("/workspaces/{workspace}/deployments")).remove(0);
        assert_eq!(deployment["outcome"], "rejected");
        all.extend(deployment["diagnostics"].as_array().unwrap().iter().cloned());
    }
    check(&all.into());
}

#[test]
fn a_workspace_that_never_was_good_says_so_to_whoever_starts_its_flows() {
    let road = road();
    road.repo.commit("six faults from the beginning");
    let runner = road.start();
    let answer = runner.post("/workspaces/shop/flows/hello/runs", &serde_json::json!({}));
    assert_eq!(answer.status, 409, "{}", answer.text);
    let problem = answer.json();
    assert_eq!(problem["code"], "SB0316");
    assert!(diagnostics(&problem["diagnostics"]).len() > 3, "{problem:#}");
}

//! Promises 5 and 8: a workspace sees nothing of another, and cannot hurt it.

use serde_json::{Value, json};
use signalbox_e2e::{Gate, Scene, root};

#[test]
fn the_state_of_a_workspace_is_its_own() {
    let road = Scene::pair("", "")
        .script("ops/flows/put.rhai", "state::set(\"shared/name\", \"of ops\")")
        .script("shop/flows/get.rhai", "[state::get(\"shared/name\"), state::list(\"\"), state::get(\"ops/shared/name\"), state::list(\"../\")]")
        .script("shop/flows/put.rhai", "state::set(\"shared/name\", \"of shop\"); state::delete(\"shared/name\")")
        .script("ops/flows/get.rhai", "state::get(\"shared/name\")")
        .road();
    let runner = road.start();
    runner.result("ops/put");
    assert_eq!(runner.result("shop/get"), json!([null, [], null, []]));
    runner.result("shop/put");
    assert_eq!(runner.result("ops/get"), "of ops");
}

#[test]
fn a_script_imports_nothing_from_outside_of_its_workspace() {
    for import in [
        "../ops/libraries/inner",
        "/ops/libraries/inner",
        "ops/libraries/inner",
        "libraries/../../ops/libraries/inner",
    ] {
        let road = Scene::pair("", "")
            .file("ops/libraries/inner.rhai", "fn secret() { 1 }\n")
            .file(
                "shop/flows/x.rhai",
                format!("import \"{import}\" as inner;\nfn main(inputs) {{ inner::secret() }}\n"),
            )
            .road();
        let (code, document) = road.validate();
        assert_eq!(code, 3, "{import}: {document:#}");
        assert_eq!(document["diagnostics"][0]["code"], "SB0203", "{import}: {document:#}");
    }
}

#[test]
fn a_crash_in_one_workspace_leaves_the_runs_of_another() {
    let gate = Gate::closed();
    let road = Scene::pair(&gate.grant(), &gate.grant())
        .script("ops/flows/wait.rhai", &gate.ask())
        .script("shop/flows/wait.rhai", &gate.ask())
        .road();
    let runner = road.start();
    let ops = runner.accept("ops/wait", &json!({}));
    gate.wait_for(1);
    let before = runner.cells();
    let shop = runner.accept("shop/wait", &json!({}));
    gate.wait_for(2);
    // Only the cell that came for the shop.
    for cell in runner.cells().into_iter().filter(|cell| !before.contains(cell)) {
        cell.kill9();
    }
    gate.wait_for(3);
    gate.open();
    assert_eq!(runner.ended(&ops)["state"], "succeeded");
    assert_eq!(runner.ended(&shop)["state"], "succeeded");
    assert_eq!(gate.requests().len(), 3);
}

/// The flood is hours of work: a run that waited behind it would not end within the test.
#[test]
fn a_flood_in_one_workspace_does_not_delay_another() {
    let limits = "limits: { concurrency: 2 }";
    let slow = "let n = 0; for i in 0..20000000 { n += i; } n";
    let road = Scene::new(&[
        ("noisy", "domain", limits),
        ("ops", "platform", ""),
        ("quiet", "domain", limits),
    ])
    .script("noisy/flows/slow.rhai", slow)
    .road();
    let runner = road.start();
    let path = "/workspaces/noisy/flows/slow/runs";
    for _ in 0..5_000 {
        runner.post(path, &json!({})).expect(202);
    }
    for _ in 0..10 {
        assert_eq!(runner.result("quiet/hello"), "hello from quiet");
    }
    let waiting = runner.get("/workspaces/noisy")["counts"]["runs"]["queued"].as_u64();
    assert!(waiting.is_some_and(|count| count > 4_900), "the flood was no flood: {waiting:?}");
}

#[test]
fn a_queue_that_is_full_says_so_and_others_are_taken() {
    let gate = Gate::closed();
    let limits = format!("{}, limits: {{ concurrency: 1, queue: 3 }}", gate.grant());
    let road = Scene::pair("", &limits).script("shop/flows/wait.rhai", &gate.ask()).road();
    let runner = road.start();
    let mut accepted = vec![runner.accept("shop/wait", &json!({}))];
    gate.wait_for(1);
    let refused = loop {
        let answer = runner.post("/workspaces/shop/flows/wait/runs", &json!({}));
        if answer.status != 202 {
            break answer;
        }
        accepted.push(answer.json()["id"].as_str().unwrap().to_owned());
        assert!(accepted.len() < 10, "no bound");
    };
    assert_eq!(refused.status, 429, "{}", refused.text);
    assert_eq!(refused.json()["code"], "SB0607");
    assert!(refused.header("retry-after").is_some());
    assert_eq!(runner.result("ops/hello"), "hello from ops");
    gate.open();
    for run in &accepted {
        assert_eq!(runner.ended(run)["state"], "succeeded");
    }
}

#[test]
fn memory_is_bounded_and_the_runner_goes_on() {
    let limits = "limits: { memory: 64MiB }";
    let greedy = "let all = [];\nlet s = \"x\";\nfor i in 0..20 { s += s; }\nfor i in 0..2000 { let t = s + i; all.push(t); }\nall.len()";
    let road = Scene::new(&[("ops", "platform", ""), ("shop", "domain", limits)])
        .script("shop/flows/greedy.rhai", greedy)
        .road();
    let runner = road.start();
    let run = runner.run("shop/greedy", &json!({}));
    assert_eq!((&run["state"], &run["reason"]), (&json!("failed"), &json!("limit_exceeded")));
    assert_eq!(runner.result("ops/hello"), "hello from ops");
    assert_eq!(runner.result("shop/hello"), "hello from shop");
}

#[test]
fn the_bounds_of_a_run_are_told_in_its_error() {
    let road = Scene::platform()
        .script("ops/flows/result.rhai", "let s = \"x\"; for i in 0..21 { s += s; } s")
        .script("ops/flows/effects.rhai", "for i in 0..10001 { state::set(\"n\", i); }")
        .script("ops/flows/deep.rhai", "let a = []; for i in 0..70 { a = [a]; } a")
        .script("ops/flows/name.rhai", "let s = \"x\"; for i in 0..8 { s += s; } state::set(s, 1)")
        .road();
    let runner = road.start();
    for (flow, code) in
        [("result", "SB0503"), ("effects", "SB0503"), ("deep", "SB0511"), ("name", "SB0511")]
    {
        let error = runner.error(&format!("ops/{flow}"));
        assert_eq!(error["code"], code, "{flow}: {error}");
    }
}

#[test]
fn grants_are_the_root_manifests_alone() {
    let road = Scene::pair("", "").road();
    for (file, text) in [
        ("shop/workspace.yaml", "grants: { network: [example.com] }\n"),
        ("shop/flows/x.yaml", "grants: { network: [example.com] }\nrun: '1'\n"),
    ] {
        road.repo.write(file, text);
        let (code, document) = road.validate();
        assert_eq!((code, &document["diagnostics"][0]["code"]), (3, &json!("SB0103")), "{file}");
        road.repo.remove(file);
    }
    assert_eq!(road.validate().0, 0);
    let overlapping = root(&[("ops", "platform", ""), ("shop", "domain", "")])
        .replace("path: shop", "path: ops/flows");
    road.repo.write("signalbox.yaml", overlapping);
    let (code, document) = road.validate();
    let first: &Value = &document["diagnostics"][0]["code"];
    assert_eq!((code, first), (3, &json!("SB0110")), "{document:#}");
}

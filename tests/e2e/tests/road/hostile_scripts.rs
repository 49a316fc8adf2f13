//! Promise 8, against scripts that mean it: each ends with its reason, and nobody else notices.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};
use signalbox_e2e::{Road, Runner, Scene, cells, diagnostics, eventually};
use signalbox_testkit::{Hostile, hostile_scripts};

/// Scripts that are evaluated at the same time.
const AT_ONCE: usize = 3;
/// How much the runner's own memory may grow, in KiB.
const GROWTH: u64 = 50 << 10;

/// Fills the store's cache of pages, whose size is fixed, so that it counts for nobody.
const FILL: &str = "let s = \"\";
s.pad(1000000, 'x');
for i in 0..45 { state::set(`page-${i}`, s); }
1";

/// A repository with a workspace for each script, and a quiet one.
fn road(scripts: &[Hostile]) -> Road {
    let mut root = "version: 1\nworkspaces:\n  quiet: { kind: platform, path: quiet }\n".to_owned();
    for Hostile { name, limits, .. } in scripts {
        let grants = format!("grants: {{ limits: {{ {limits} }} }}");
        let entry = format!("  {name}: {{ kind: domain, path: {name}, {grants} }}\n");
        root.push_str(&entry);
    }
    let scene = Scene::new(&[])
        .file("signalbox.yaml", root)
        .script("quiet/flows/fill.rhai", FILL)
        .script("quiet/flows/mark.rhai", "state::add(\"marks\", 1)");
    let scene = scripts.iter().fold(scene, |scene, script| {
        let scene = scene.script(&format!("{}/flows/hello.rhai", script.name), "`hello`");
        let file = |scene: Scene, (path, text): &(String, String)| {
            scene.file(&format!("{}/{path}", script.name), text.as_str())
        };
        script.files.iter().fold(scene, file)
    });
    scene.road()
}

/// How a script ended, in the words of its file.
fn ended(run: &Value) -> String {
    if run["state"] == "succeeded" {
        return "succeeded".to_owned();
    }
    let of = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    format!("{} {}", of(&run["reason"]), of(&run["error"]["code"]))
}

/// A figure of the runner's `status`, in KiB.
fn memory(runner: &Runner<'_>, what: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", runner.pid())).unwrap();
    let line = status.lines().find(|line| line.starts_with(what)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// What a runner has open: each file by its name, sockets and the like by what they are.
fn open(runner: &Runner<'_>) -> Vec<String> {
    let folder = fs::read_dir(format!("/proc/{}/fd", runner.pid())).unwrap();
    let targets = folder.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
    let kind = |target: &str| target.split(':').next().unwrap_or_default().to_owned();
    let mut found: Vec<_> = targets.map(|target| kind(&target.display().to_string())).collect();
    found.sort();
    found
}

/// Every file below a folder.
fn files(folder: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.insert(path.display().to_string());
        }
    }
    found
}

/// Processes that a runner has started and that have not been waited for.
fn children(runner: &Runner<'_>) -> String {
    let tasks = fs::read_dir(format!("/proc/{}/task", runner.pid())).unwrap();
    let of = |task: fs::DirEntry| fs::read_to_string(task.path().join("children")).ok();
    tasks.filter_map(|task| of(task.ok()?)).collect()
}

#[test]
fn every_hostile_script_ends_with_its_reason_and_hurts_nobody() {
    let scripts = hostile_scripts();
    let road = road(&scripts);
    let runner = road.start();
    let report = runner.sync();
    assert_eq!(runner.result("quiet/mark"), 1);
    runner.result("quiet/fill");
    eventually("the first cell is gone", || cells(runner.pid()).is_empty().then_some(()));
    let before = (memory(&runner, "VmRSS"), open(&runner), files(&road.launch.data()));

    let (refused, evaluated): (Vec<_>, Vec<_>) =
        scripts.iter().partition(|script| script.rejected().is_some());
    for script in &refused {
        let outcomes = report["workspaces"].as_array().unwrap();
        let outcome = outcomes.iter().find(|outcome| outcome["workspace"] == *script.name).unwrap();
        let codes: BTreeSet<_> =
            diagnostics(&outcome["diagnostics"]).into_iter().map(|fault| fault.0).collect();
        let expected = script.rejected().map(str::to_owned);
        assert_eq!(codes.into_iter().collect::<Vec<_>>(), Vec::from_iter(expected), "{outcome:#}");
    }
    let next = AtomicUsize::new(0);
    let faults: Vec<String> = std::thread::scope(|scope| {
        let work = || {
            let mut faults = Vec::new();
            while let Some(script) = evaluated.get(next.fetch_add(1, Ordering::Relaxed)) {
                let id = runner.accept(&script.flow(), &json!({}));
                runner.result("quiet/mark");
                let run = runner.ended(&id);
                if ended(&run) != script.ends {
                    faults.push(format!("{}: {run:#}", script.name));
                }
            }
            faults
        };
        let workers: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(work)).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert_eq!(runner.result("quiet/mark"), evaluated.len() + 2, "each of its runs, once");

    let grown = memory(&runner, "VmHWM").saturating_sub(before.0);
    assert!(grown < GROWTH, "the runner's memory grew by {grown} KiB");
    eventually("every cell is gone", || children(&runner).is_empty().then_some(()));
    let mut known = before.1;
    // The store opens its few readers when they are needed, and keeps them.
    let data = road.launch.data().display().to_string();
    let mut left = open(&runner);
    left.retain(|target| !target.starts_with(&data));
    left.retain(|target| {
        let at = known.iter().position(|other| other == target);
        at.map(|at| known.remove(at)).is_none()
    });
    assert!(left.is_empty(), "left open: {left:?}");
    assert_eq!(files(&road.launch.data()), before.2);
    assert!(!runner.serve().stderr().contains("panicked"), "{}", runner.serve().stderr());
}

#[test]
fn scripts_without_an_end_keep_nobody_waiting_and_can_be_cancelled() {
    let endless: Vec<_> = hostile_scripts()
        .into_iter()
        .filter(|script| script.ends == "timed_out SB0502")
        .map(|script| Hostile { limits: "operations: 1000000000000".to_owned(), ..script })
        .collect();
    assert!(endless.len() > 4);
    let road = road(&endless);
    let runner = road.start();
    for both in endless.chunks(2) {
        let ids: Vec<_> =
            both.iter().map(|script| runner.accept(&script.flow(), &json!({}))).collect();
        for id in &ids {
            runner.until(id, "running");
        }
        runner.result("quiet/mark");
        for id in &ids {
            assert_eq!(runner.show(id)["state"], "running");
            runner.cli(&["cancel", id]).ends(0);
            assert_eq!(runner.ended(id)["state"], "cancelled");
        }
    }
}

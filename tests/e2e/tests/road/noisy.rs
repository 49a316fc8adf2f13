//! Promise 8 with everything at once: one workspace floods its queue, its logs, its memory and its
//! operations and pushes a bad revision again and again; another goes on as if it were alone.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use serde_json::{Value, json};
use signalbox_e2e::{Road, Runner, Scene, eventually, told};

/// Runs of the flood, unless `SIGNALBOX_FLOOD` says otherwise.
const FLOOD: usize = 4_000;
/// What the noisy workspace was granted: fewer may wait than the flood is.
const QUEUE: u64 = 500;
/// Rounds of the quiet workspace beside the flood, at least.
const ROUNDS: usize = 5;
/// How much memory the runner may take for it, in KiB: its queue, caches and buffers are bounded.
const GROWTH: u64 = 256 << 10;

fn road() -> Road {
    let noisy = format!("limits: {{ queue: {QUEUE}, memory: 64MiB, concurrency: 8 }}");
    Scene::new(&[("noisy", "domain", &noisy), ("ops", "platform", ""), ("quiet", "domain", "")])
        .script("noisy/flows/short.rhai", "1")
        .script("noisy/flows/shout.rhai", "let line = text::repeat(\"x\", 1000); for i in 0..3000 { log::info(line); }")
        .script("noisy/flows/greedy.rhai", "let all = []; for i in 0..2000 { all.push(text::repeat(\"x\", 100000)); }")
        .script("noisy/flows/spin.rhai", "loop { }")
        .file(
            "ops/workspace.yaml",
            "exports:\n  echo: { flow: echo, callers: [domains] }\n\
             may_start:\n  quiet: [called]\n",
        )
        .script("ops/flows/echo.rhai", "inputs.n")
        .script("ops/flows/start.rhai", "broker::request(\"quiet/called\", #{ n: inputs.n })")
        .file(
            "quiet/workspace.yaml",
            "uses: [echo@1]\naccepts: [called]\nsecrets: [KEY]\n\
             webhooks:\n  hook: { flow: hooked, auth: { api_key: \"${secrets.KEY}\", header: X-Api-Key } }\n",
        )
        .script("quiet/flows/called.rhai", "broker::request(\"echo\", #{ n: inputs.n })")
        .script("quiet/flows/hooked.rhai", "state::add(\"hooked\", 1)")
        .script("quiet/flows/pushed.rhai", "0")
        .file("quiet/flows/tick.yaml", "schedules: [{ cron: \"* * * * * *\" }]\nrun: run::slot()\n")
        .road()
}

/// Starts runs of the noisy workspace until there were so many. Gives how many were refused.
fn flood(runner: &Runner<'_>, runs: &AtomicUsize, most: usize) -> usize {
    let mut refused = 0;
    while runs.fetch_add(1, Ordering::SeqCst) < most {
        let answer = runner.post("/workspaces/noisy/flows/short/runs", &json!({}));
        if answer.status != 202 {
            assert_eq!((answer.status, &answer.json()["code"]), (429, &json!("SB0607")));
            refused += 1;
        }
    }
    refused
}

/// Runs that do harm, one after the other, until it is over.
fn harm(runner: &Runner<'_>, over: &AtomicBool) {
    for flow in ["shout", "greedy", "spin"].iter().cycle() {
        if over.load(Ordering::SeqCst) {
            return;
        }
        let path = format!("/workspaces/noisy/flows/{flow}/runs?wait=2");
        let answer = runner.post(&path, &json!({}));
        assert!(matches!(answer.status, 200 | 202 | 429), "{answer:?}");
    }
}

/// One of everything that the quiet workspace does. Each must succeed, and its push go live.
fn quiet(road: &Road, runner: &Runner<'_>, round: usize) {
    let called = runner.run("ops/start", &json!({ "n": round }));
    assert_eq!((&called["state"], &called["result"]), (&json!("succeeded"), &json!(round)));
    let sender = runner.client().clone().header("x-api-key", "k3y");
    let hooked = sender.post("/hooks/quiet/hook", &json!({}));
    assert!(matches!(hooked.status, 200 | 202), "{hooked:?}");
    road.repo.write("noisy/flows/bad.rhai", format!("fn main(inputs) {{ {round} +\n"));
    road.push_script("quiet/flows/pushed.rhai", &round.to_string());
    let report = runner.sync();
    let all = report["workspaces"].as_array().unwrap();
    let of =
        |name: &str| all.iter().find(|one| one["workspace"] == name).unwrap()["outcome"].clone();
    assert_eq!((of("quiet"), of("noisy")), (json!("deployed"), json!("rejected")), "{report:#}");
    assert_eq!(runner.result("quiet/pushed"), round);
    let waiting = runner.get("/workspaces/noisy")["counts"]["runs"]["queued"].as_u64();
    assert!(waiting.unwrap_or(0) <= QUEUE, "over its bound: {waiting:?}");
}

/// Memory of the runner itself, in KiB.
fn resident(runner: &Runner<'_>) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", runner.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches("kB").trim().parse().unwrap()
}

fn states(runner: &Runner<'_>, flow: &str) -> Vec<Value> {
    let runs = runner.list(&format!("/runs?workspace=quiet&flow={flow}&limit=1000"));
    runs.into_iter().map(|run| run["state"].clone()).collect()
}

/// How nice the threads of a process are.
fn niceness(pid: i32) -> Vec<i32> {
    let Ok(tasks) = std::fs::read_dir(format!("/proc/{pid}/task")) else { return Vec::new() };
    let of = |path: std::path::PathBuf| {
        let stat = std::fs::read_to_string(path.join("stat")).ok()?;
        stat.rsplit_once(')')?.1.split_whitespace().nth(16)?.parse().ok()
    };
    tasks.filter_map(|task| of(task.ok()?.path())).collect()
}

/// Whether every thread of every cell is so nice.
fn all_cells_are(runner: &Runner<'_>, nice: i32) -> Option<()> {
    let all: Vec<_> = runner.cells().iter().flat_map(|cell| niceness(cell.pid())).collect();
    (!all.is_empty() && all.iter().all(|of| *of == nice)).then_some(())
}

#[test]
fn a_cell_stands_behind_the_runner_and_further_back_while_its_run_computes_for_long() {
    let road = Scene::platform().script("ops/flows/spin.rhai", "loop { }").road();
    let runner = road.start();
    let own = niceness(runner.pid())[0];
    runner.result("ops/hello");
    eventually("the cell stands behind the runner", || all_cells_are(&runner, (own + 10).min(19)));
    let spin = runner.accept("ops/spin", &json!({}));
    eventually("the cell steps back", || all_cells_are(&runner, 19));
    runner.cli(&["cancel", &spin]).ends(0);
    eventually("who evaluates a little stands where it stood", || {
        runner.result("ops/hello");
        all_cells_are(&runner, (own + 10).min(19))
    });
}

#[test]
fn a_workspace_that_does_its_worst_leaves_another_as_it_was() {
    let road = road();
    let runner = road.start();
    runner.cli_with(&["secret", "set", "KEY", "-w", "quiet"], "k3y").ends(0);
    let most = std::env::var("SIGNALBOX_FLOOD").ok().and_then(|text| text.parse().ok());
    let most = most.unwrap_or(FLOOD);
    let (runs, over) = (AtomicUsize::new(0), AtomicBool::new(false));
    quiet(&road, &runner, 1);
    let before = resident(&runner);
    let (rounds, refused) = thread::scope(|scope| {
        let floods: Vec<_> = (0..3).map(|_| scope.spawn(|| flood(&runner, &runs, most))).collect();
        for _ in 0..4 {
            scope.spawn(|| harm(&runner, &over));
        }
        let mut round = 1;
        while round <= ROUNDS || runs.load(Ordering::SeqCst) < most {
            round += 1;
            quiet(&road, &runner, round);
        }
        over.store(true, Ordering::SeqCst);
        (round, floods.into_iter().map(|flood| flood.join().unwrap()).sum::<usize>())
    });
    let grown = resident(&runner).saturating_sub(before);
    assert!(grown < GROWTH, "the runner took {grown} KiB");
    eventually("every run of the quiet workspace has ended", || {
        ["called", "hooked", "pushed"]
            .iter()
            .all(|flow| states(&runner, flow).iter().all(|state| state == "succeeded"))
            .then_some(())
    });
    assert_eq!(states(&runner, "hooked").len(), rounds);
    let ticks = states(&runner, "tick");
    assert!(!ticks.is_empty() && ticks.iter().all(|state| state != "failed"), "{ticks:?}");
    told(&format!(
        "{most} runs flooded, {refused} refused, {rounds} rounds beside them, {} slots, {grown} KiB",
        ticks.len()
    ));
}

//! Promises 3 and 4 at random moments: long journals are replayed to the letter.

use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use signalbox_e2e::{Die, Road, Runner, Scene, cells, kill9, pause};

/// Effects of each run.
const EFFECTS: usize = 40;

/// `shop/draw` keeps what it draws and counts; `shop/fire` starts a run of the platform for each
/// of its numbers.
fn road() -> Road {
    let draw = format!(
        "let id = run::id();
let drawn = [];
for i in 0..{EFFECTS} {{
    let number = random(0, 1000000);
    drawn.push(number);
    log::info(`drew ${{number}}`);
    state::set(`drawn/${{id}}/${{i}}`, number);
    state::add(`count/${{id}}`, 1);
    if i % 10 == 0 {{ step(`part ${{i}}`, || state::add(`parts/${{id}}`, 1)); }}
}}
drawn"
    );
    let seen = format!(
        "let drawn = [];
for i in 0..{EFFECTS} {{ drawn.push(state::get(`drawn/${{inputs.id}}/${{i}}`)); }}
#{{ drawn: drawn, count: state::get(`count/${{inputs.id}}`), parts: state::get(`parts/${{inputs.id}}`) }}"
    );
    let fire = "for i in 0..5 { broker::start(\"numbers.next\", #{ of: run::id() }); }";
    let limits = "limits: { concurrency: 4 }";
    Scene::pair(limits, limits)
        .file(
            "ops/workspace.yaml",
            "exports:\n  numbers.next: { flow: next, callers: [domains] }\n",
        )
        .script("ops/flows/next.rhai", "state::add(`next/${inputs.of}`, 1)")
        .script("ops/flows/count.rhai", "state::get(`next/${inputs.id}`)")
        .file("shop/workspace.yaml", "uses: [numbers.next@1]\n")
        .script("shop/flows/draw.rhai", &draw)
        .script("shop/flows/seen.rhai", &seen)
        .script("shop/flows/fire.rhai", fire)
        .road()
}

/// Starts runs of a flow until there are enough or the runner is gone.
fn load(runner: &Runner<'_>, flow: &str) -> Vec<String> {
    let path = format!("/api/v1/workspaces/shop/flows/{flow}/runs");
    let ask = |_| runner.client().request("POST", &path, Some(b"{}")).ok();
    let accepted = (0..4).map_while(ask).filter(|answer| answer.status == 202);
    accepted.filter_map(|answer| answer.json()["id"].as_str().map(str::to_owned)).collect()
}

/// Rounds of load on two flows, each ended by a kill; gives the runs of both.
fn rounds(road: &Road, number: usize) -> (Vec<String>, Vec<String>) {
    let mut die = Die::new();
    let (mut draws, mut fires) = (Vec::new(), Vec::new());
    for _ in 0..number {
        let runner = road.start();
        thread::scope(|scope| {
            let drawing = scope.spawn(|| load(&runner, "draw"));
            let firing = scope.spawn(|| load(&runner, "fire"));
            pause(Duration::from_millis(die.roll(5, 80)));
            for cell in cells(runner.pid()).into_iter().take(1) {
                cell.kill9();
            }
            pause(Duration::from_millis(die.roll(0, 30)));
            kill9(runner.pid());
            draws.extend(drawing.join().unwrap());
            fires.extend(firing.join().unwrap());
        });
        runner.kill9();
    }
    (draws, fires)
}

#[track_caller]
fn result(runner: &Runner<'_>, flow: &str, id: &str) -> Value {
    let run = runner.run(flow, &json!({ "id": id }));
    assert_eq!(run["state"], "succeeded", "{run:#}");
    run["result"].clone()
}

#[test]
fn long_journals_are_replayed_to_the_letter_whatever_dies() {
    let road = road();
    let (draws, fires) = rounds(&road, 30);
    let runner = road.start();
    let mut ended = 0;
    for id in &draws {
        let run = runner.ended(id);
        // Two cells may have been lost to the same run; nothing else may end it.
        if run["state"] != "succeeded" {
            assert_eq!(run["error"]["code"], "SB0504", "{run:#}");
            continue;
        }
        ended += 1;
        let seen = result(&runner, "shop/seen", id);
        let expected = json!({ "drawn": run["result"], "count": EFFECTS, "parts": 4 });
        assert_eq!(seen, expected, "of {id}");
    }
    for id in &fires {
        let run = runner.ended(id);
        if run["state"] != "succeeded" {
            assert_eq!(run["error"]["code"], "SB0504", "{run:#}");
            continue;
        }
        ended += 1;
        let calls = runner.calls_of(id);
        assert_eq!(calls.len(), 5, "of {id}");
        for call in calls {
            runner.ended(call["run"].as_str().unwrap());
        }
        assert_eq!(result(&runner, "ops/count", id), 5, "of {id}");
    }
    assert!(ended >= 30, "no load: {ended} of {} runs", draws.len() + fires.len());
}

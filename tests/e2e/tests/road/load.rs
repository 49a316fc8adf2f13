//! Runs under load, and the proof that each of them happened once.

use serde_json::{Value, json};
use signalbox_e2e::{Road, Runner, Scene};
use signalbox_testkit::{Client, HttpStub, Response};

/// What the runs ask.
pub(crate) fn world() -> HttpStub {
    HttpStub::start(|_| Response::status(204))
}

/// `shop/work` counts, calls the platform, tells the world, and counts again, each under its own
/// run's id; `tally` gives every counter of a prefix.
pub(crate) fn road(world: &HttpStub) -> Road {
    let work = format!(
        "let id = run::id();
state::add(`before/${{id}}`, 1);
let number = broker::request(\"numbers.next\", #{{ of: id }});
http::post(\"{}/\", #{{ id: id }});
state::add(`after/${{id}}`, 1);
number",
        world.url()
    );
    let tally = "let all = #{};
for name in state::list(inputs.prefix) { all[name] = state::get(name); }
all";
    let grants = format!("network: [\"{}\"], limits: {{ concurrency: 4 }}", world.url());
    Scene::pair("limits: { concurrency: 4 }", &grants)
        .file(
            "ops/workspace.yaml",
            "exports:\n  numbers.next: { flow: next, callers: [domains] }\n",
        )
        .script("ops/flows/next.rhai", "state::add(`next/${inputs.of}`, 1)")
        .script("ops/flows/tally.rhai", tally)
        .file("shop/workspace.yaml", "uses: [numbers.next@1]\n")
        .script("shop/flows/work.rhai", &work)
        .script("shop/flows/tally.rhai", tally)
        .road()
}

/// Starts at most so many runs, fewer when the runner dies; gives the ids that it accepted.
pub(crate) fn start(runner: &Runner<'_>, most: usize) -> Vec<String> {
    start_with(runner.client(), most)
}

/// The same with a client, for a runner that somebody else stops.
pub(crate) fn start_with(client: &Client, most: usize) -> Vec<String> {
    let mut accepted = Vec::new();
    let path = "/api/v1/workspaces/shop/flows/work/runs";
    while accepted.len() < most
        && let Ok(answer) = client.request("POST", path, Some(b"{}"))
        && answer.status == 202
    {
        accepted.extend(answer.json()["id"].as_str().map(str::to_owned));
    }
    accepted
}

/// Every run of `work` that the runner knows, those included whose acceptance nobody heard of.
pub(crate) fn known(runner: &Runner<'_>) -> Vec<String> {
    let mut ids = Vec::new();
    let mut path = "/runs?flow=work&limit=1000".to_owned();
    loop {
        let page = runner.get(&path);
        let items = page["items"].as_array().unwrap();
        ids.extend(items.iter().map(|run| run["id"].as_str().unwrap().to_owned()));
        let Some(next) = page["next"].as_str() else { return ids };
        path = format!("/runs?flow=work&limit=1000&cursor={next}");
    }
}

/// Waits for the end of every run and checks that none of the accepted ones is lost, none has
/// failed, and whatever they did inside of Signalbox they did once.
#[track_caller]
pub(crate) fn check(runner: &Runner<'_>, world: &HttpStub, accepted: &[String]) -> usize {
    let (known, dead) = check_after_kills(runner, world, accepted);
    assert_eq!(dead, 0, "runs among the dead letters");
    known
}

/// The same where a run may have met so many ends of its runner, without coming further between
/// them, that it is not tried again. Gives how many runs there were, and how many ended like that.
#[track_caller]
pub(crate) fn check_after_kills(
    runner: &Runner<'_>,
    world: &HttpStub,
    accepted: &[String],
) -> (usize, usize) {
    let known = known(runner);
    let lost: Vec<_> = accepted.iter().filter(|id| !known.contains(id)).collect();
    assert!(lost.is_empty(), "accepted and unknown: {lost:?}");
    let (mut done, mut dead) = (Vec::new(), Vec::new());
    for id in known {
        let run = runner.ended(&id);
        let message = run["error"]["message"].as_str().unwrap_or_default();
        // It, or the run that it called.
        if message.starts_with("the runner died 6 times") || run["error"]["code"] == "SB0314" {
            dead.push(id);
            continue;
        }
        assert_eq!(run["state"], "succeeded", "{run:#}");
        assert_eq!(run["result"], 1, "{run:#}");
        done.push(id);
    }
    for (workspace, prefix) in [("shop", "before/"), ("shop", "after/"), ("ops", "next/")] {
        once(&tally(runner, workspace, prefix), prefix, &done, &dead);
    }
    let heard: Vec<_> = world.requests().iter().map(|one| one.json()["id"].clone()).collect();
    let unheard: Vec<_> = done.iter().filter(|id| !heard.contains(&json!(id))).collect();
    assert!(unheard.is_empty(), "never told to the world: {unheard:?}");
    (done.len() + dead.len(), dead.len())
}

/// The counters of a workspace.
pub(crate) fn tally(runner: &Runner<'_>, workspace: &str, prefix: &str) -> Value {
    let run = runner.run(&format!("{workspace}/tally"), &json!({ "prefix": prefix }));
    assert_eq!(run["state"], "succeeded", "{run:#}");
    run["result"].clone()
}

/// Each of `runs` has counted once, and each of `dead` at most once.
#[track_caller]
fn once(tally: &Value, prefix: &str, runs: &[String], dead: &[String]) {
    let tally = tally.as_object().unwrap();
    let doubled: Vec<_> = tally.iter().filter(|(_, count)| **count != 1).collect();
    assert!(doubled.is_empty(), "doubled: {doubled:?}");
    let counted = |id: &&String| tally.contains_key(&format!("{prefix}{id}"));
    let missing: Vec<_> = runs.iter().filter(|id| !counted(id)).collect();
    assert!(missing.is_empty(), "lost: {missing:?}");
    let begun = dead.iter().filter(counted).count();
    assert_eq!(tally.len(), runs.len() + begun, "runs that nobody knows");
}

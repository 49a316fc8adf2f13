//! Promise 8, against a cell that somebody else has taken over: nothing leaks, nothing else stops, and
//! every run of it ends with a reason that says what happened.

#![expect(clippy::unwrap_used, reason = "tests fail as they may")]

mod scene;

use std::time::Duration;

use signalbox_core::Value;
use signalbox_core::run::State;

use scene::Scene;

/// How much the memory of the process may grow in all, in KiB: a journal of 64 MiB on its way from the
/// cell to the store and back, the store's own cache, and what the allocator keeps of them.
const GROWTH: u64 = 320 << 10;
/// The length of a log line, an error or whatever else is kept of what a cell says.
const KEPT: usize = 8 << 10;

/// What each attack comes to: the run's state, reason and code; any of several where it depends on who
/// is faster.
const ENDS: &[(&str, &str)] = &[
    ("other-run", "failed cell_lost SB0504"),
    ("end-of-other", "failed cell_lost SB0504"),
    ("end-twice", "succeeded"),
    ("effect-after-end", "succeeded"),
    ("effect-twice", "failed cell_lost SB0504"),
    ("end-under-way", "failed cell_lost SB0504"),
    ("frame-of-4-gib", "failed cell_lost SB0504"),
    ("frame-over-bound", "failed cell_lost SB0504"),
    ("frame-at-bound", "succeeded"),
    ("frame-endless", "failed timed_out SB0502"),
    ("frame-truncated", "failed cell_lost SB0504"),
    ("garbage", "failed cell_lost SB0504"),
    ("frames-endless", "failed timed_out SB0502"),
    ("silence", "failed timed_out SB0502"),
    ("ready-twice", "failed cell_lost SB0504"),
    ("checked", "failed cell_lost SB0504"),
    ("returned", "failed cell_lost SB0504"),
    ("unwound", "failed cell_lost SB0504"),
    ("waits-for-nothing", "failed cell_lost SB0504"),
    ("entry-of-runner", "failed cell_lost SB0504"),
    ("entry-pending", "failed cell_lost SB0504"),
    ("scope-huge", "failed cell_lost SB0504"),
    ("log-huge", "failed cell_lost SB0504"),
    ("reason-of-runner", "failed cell_lost SB0504"),
    ("not-wanted", "failed cell_lost SB0504"),
    ("incompatible", "suspended incompatible SB0505"),
    ("no-value", "failed script_error SB0511"),
    ("effects-at-once", "failed cell_lost SB0504"),
    ("effects-endless", "failed limit_exceeded SB0503 | failed timed_out SB0502"),
    ("entries-endless", "failed limit_exceeded SB0503"),
    ("reads-nothing", "failed cell_lost SB0504"),
    ("errors-endless", "failed timed_out SB0502"),
    // A read ends before bytes that come with descriptors: the rest may be left for later, and no
    // more comes.
    ("descriptors", "succeeded | failed timed_out SB0502"),
    ("fork", "failed timed_out SB0502"),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_a_taken_cell_says_its_run_ends_with_a_reason_and_nobody_else_notices() {
    let names: Vec<_> = ENDS.iter().map(|(name, _)| *name).collect();
    let scene = Scene::start(&names).await;
    scene.result("ops/keep").await;
    let asleep = scene.accept("ops/wait", &Value::Null).await;
    scene.until(&asleep, State::Suspended).await;
    let before = (scene::memory("VmRSS"), scene::open());
    let mut faults = Vec::new();
    for (name, expected) in ENDS {
        let run = scene.accept(&format!("shop/{name}"), &Value::Null).await;
        // Another workspace's run begins and ends while this one does what it does.
        assert_eq!(scene.result("ops/look").await, Value::from("what is mine"), "{name}");
        let view = scene.ended(&run).await;
        let found = scene::said(&view);
        if expected.split(" | ").all(|end| end != found) {
            faults.push(format!("{name}: {found}, not {expected}: {:?}", view.summary.error));
        }
        let length = view.summary.error.map_or(0, |error| error.message.len());
        assert!(length < KEPT, "{name}: an error of {length} bytes");
        assert_eq!(scene.result("shop/good").await, Value::Null, "{name}: the next run of its own");
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    let view = scene.run(&asleep).await;
    assert_eq!(view.summary.state, State::Suspended, "whoever waits goes on waiting");
    let grown = scene::memory("VmHWM").saturating_sub(before.0);
    assert!(grown < GROWTH, "the memory grew by {grown} KiB");
    scene.stop().await;
    scene::eventually("no cell is left, and nothing that they passed", || {
        scene::children().is_empty() && scene::open() <= before.1
    })
    .await;
}

/// The same for runs whose cell is taken when they are evaluated for the second time.
const REPLAYS: &[(&str, &str)] = &[
    ("replay-asks-again", "failed cell_lost SB0504"),
    ("replay-waits-for-another", "failed cell_lost SB0504"),
    ("replay-of-another-program", "failed cell_lost SB0504"),
    ("replay-does-a-wait", "failed cell_lost SB0504"),
    ("replay-rewrites", "failed cell_lost SB0504"),
    ("replay-rewrites-at-its-end", "failed cell_lost SB0504"),
    ("replay-does-not-fit", "suspended incompatible SB0505"),
    ("replay-forgets", "succeeded"),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_taken_cell_neither_repeats_nor_rewrites_what_its_run_has_in_its_journal() {
    let names: Vec<_> = REPLAYS.iter().map(|(name, _)| *name).chain(["counted"]).collect();
    let scene = Scene::start(&names).await;
    let mut faults = Vec::new();
    for (number, (name, expected)) in REPLAYS.iter().enumerate() {
        let run = scene.accept(&format!("shop/{name}"), &Value::Null).await;
        let found = scene::said(&scene.ended(&run).await);
        if found != *expected {
            faults.push(format!("{name}: {found}, not {expected}"));
        }
        let journal = scene.handle.store().journal(&run).await.unwrap();
        let first: Vec<_> = journal.iter().filter(|entry| entry.key.ordinal == 1).collect();
        assert_eq!(first.len(), 1, "{name}: {journal:?}");
        assert_eq!(first[0].kind, "state::add", "{name}");
        let done = i64::try_from(number).unwrap() + 1;
        assert_eq!(scene.result("shop/counted").await, Value::Int(done), "{name}: once for each");
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    scene.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cell_that_never_says_that_it_is_ready_is_killed_and_its_run_goes_elsewhere() {
    let scene = Scene::start(&[]).await;
    scene.result("ops/keep").await;
    let before = scene::children();
    scene.mute(1);
    let held = scene.accept("shop/good", &Value::Null).await;
    scene::eventually("the cell is started", || scene.mutes() == 0).await;
    let mut silent = scene::children();
    silent.retain(|pid| !before.contains(pid));
    assert_eq!(silent.len(), 1, "{silent:?}");
    for _ in 0..20 {
        assert_eq!(scene.result("ops/look").await, Value::from("what is mine"));
    }
    assert_eq!(scene.result("shop/good").await, Value::Null, "nor does its own workspace wait");
    assert_eq!(scene.run(&held).await.summary.state, State::Running, "as long as that took");
    assert!(scene::children().is_superset(&silent), "it is given its time");
    assert_eq!(scene::said(&scene.ended(&held).await), "succeeded");
    assert!(scene::children().is_disjoint(&silent), "it is gone");
    scene.stop().await;
    assert!(scene::children().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_whose_cells_never_say_that_they_are_ready_can_be_cancelled() {
    let scene = Scene::start(&[]).await;
    scene.mute(100);
    let held = scene.accept("shop/good", &Value::Null).await;
    scene::eventually("a cell is started", || scene.mutes() < 100).await;
    scene.handle.cancel(&held).await.unwrap();
    assert_eq!(scene::said(&scene.ended(&held).await), "cancelled cancel_requested");
    scene.stop().await;
    assert!(scene::children().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_taken_cell_reaches_nothing_of_others_by_any_name() {
    let scene = Scene::start(&["names"]).await;
    let secret = b"the key of ops";
    scene.handle.set_secret(&"ops".parse().unwrap(), "OPS_KEY", secret).await.unwrap();
    scene.result("ops/keep").await;
    let victim = scene.accept("ops/wait", &Value::Null).await;
    scene.until(&victim, State::Suspended).await;
    let inputs = Value::map([("run", Value::String(victim.to_string()))]);
    let run = scene.accept("shop/names", &inputs).await;
    let view = scene.ended(&run).await;
    assert_eq!(scene::said(&view), "succeeded", "{:?}", view.summary.error);
    let result = signalbox_core::value::decode(&view.result.unwrap()).unwrap();
    let Value::List(came) = result else { panic!("{result}") };
    let came: Vec<_> = came.iter().map(ToString::to_string).collect();
    let expected = [
        "null", // its own state has no such value
        "null", // `ops/mine` is a name in its own state
        "null", // so is `../ops/mine`
        "[]",
        "true",       // a swap of its own value, which was missing
        "false",      // a deletion of nothing
        "\"SB0302\"", // a domain names no flow of the platform
        "\"SB0301\"", // nor a service that nobody exports
        "\"SB0301\"",
        "\"SB0309\"", // a flow of its own with that name
        "\"SB0309\"",
        "\"SB0603\"", // a run that it has not started
        "\"SB0310\"", // a workspace that does not exist for it
        "\"SB0309\"",
        "\"SB0506\"", // a secret that it does not declare
        "\"SB0508\"", // a marker that is not of this run
        "\"SB0210\"", // a connector that it does not have
        "\"SB0508\"", // the marker again
        "\"SB0506\"", // a host that it was not granted
    ];
    assert_eq!(came, expected);
    assert_eq!(scene.result("ops/look").await, Value::from("what is mine"));
    assert_eq!(scene.run(&victim).await.summary.state, State::Suspended);
    let kept = scene.handle.store().run(&run).await.unwrap();
    assert!(!format!("{kept:?}").contains("the key of ops"));
    scene.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn runs_behind_an_attack_in_the_same_cell_are_not_lost() {
    let scene = Scene::start(&["garbage", "silence", "end-twice"]).await;
    for name in ["garbage", "silence", "end-twice"] {
        let attack = scene.accept(&format!("shop/{name}"), &Value::Null).await;
        let mut good = Vec::new();
        for _ in 0..50 {
            good.push(scene.accept("shop/good", &Value::Null).await);
        }
        for run in good {
            assert_eq!(scene::said(&scene.ended(&run).await), "succeeded", "behind {name}");
        }
        scene.ended(&attack).await;
    }
    tokio::time::timeout(Duration::from_mins(1), scene.stop()).await.unwrap();
}

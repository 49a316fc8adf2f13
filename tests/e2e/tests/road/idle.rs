//! Promise 10: a runner that has nothing to do does nothing.

use signalbox_e2e::{Scene, cells, eventually};
use signalbox_testkit::{HttpStub, Response};

/// How often the threads of a process were woken until now.
fn wakes(pid: i32) -> u64 {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    let of = |entry: std::fs::DirEntry| {
        let status = std::fs::read_to_string(entry.path().join("status")).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        line.and_then(|number| number.trim().parse().ok()).unwrap_or(0)
    };
    threads.map(|entry| of(entry.unwrap())).sum::<u64>()
}

#[test]
fn an_idle_runner_holds_no_cell() {
    let road = Scene::platform().road();
    let runner = road.start();
    runner.result("ops/hello");
    eventually("no cell is left", || cells(runner.pid()).is_empty().then_some(()));
    assert_eq!(runner.result("ops/hello"), "hello from ops");
}

#[test]
fn an_idle_runner_is_not_woken() {
    let nightly = "schedules: [{ cron: \"0 3 1 1 *\", timezone: UTC }]\nrun: '1'\n";
    let idle = Scene::pair("", "").file("ops/flows/yearly.yaml", nightly).road();
    let idle = (&idle, idle.start());
    eventually("no cell is left", || cells(idle.1.pid()).is_empty().then_some(()));
    // The clock is another runner: it tells the world every second.
    let world = HttpStub::start(|_| Response::status(204));
    let tick = format!(
        "schedules: [{{ cron: \"* * * * * *\", timezone: UTC }}]\nrun: http::post(\"{}/\", \"\").status\n",
        world.url()
    );
    let clock = Scene::new(&[("ops", "platform", &format!("network: [\"{}\"]", world.url()))])
        .file("ops/flows/tick.yaml", tick)
        .road();
    let _clock = clock.start();
    let begun = world.wait_for(1).len();
    let before = wakes(idle.1.pid());
    world.wait_for(begun + 3);
    let woken = wakes(idle.1.pid()) - before;
    assert!(woken <= 3, "woken {woken} times in three seconds without work");
}

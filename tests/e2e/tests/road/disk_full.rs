//! A full disk under load: what was accepted is kept, what is new is told to come again, and
//! everything goes on by itself when there is space.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use signalbox_e2e::{Road, Runner, SmallDisk, eventually, pause, told};
use signalbox_testkit::{Client, HttpStub, with_own_mounts};

use crate::{load, schedules};

/// Clients that start runs for as long as the test lasts.
const CLIENTS: usize = 3;
/// Room for the database and its log, which has 16 MiB before it is written into the database.
const DISK: u64 = 64 << 20;
/// Of what each client must have seen, before the disk fills and while it is full.
const ENOUGH: usize = 20;

/// What the clients saw, over all of them.
#[derive(Debug, Default)]
struct Seen {
    accepted: AtomicUsize,
    refused: AtomicUsize,
    over: AtomicBool,
}

/// Starts runs until it is over, and gives those that were accepted. Every other answer must be
/// that the disk is full.
fn load(client: &Client, seen: &Seen) -> Vec<String> {
    let mut accepted = Vec::new();
    while !seen.over.load(Ordering::SeqCst) {
        let answer = client.post("/api/v1/workspaces/shop/flows/work/runs", &json!({}));
        if answer.status == 202 {
            accepted.push(answer.json()["id"].as_str().unwrap().to_owned());
            seen.accepted.fetch_add(1, Ordering::SeqCst);
            // What is accepted has to end in the time of this test.
            thread::park_timeout(Duration::from_millis(10));
        } else {
            assert_eq!(
                (answer.status, &answer.json()["code"]),
                (503, &json!("SB0704")),
                "{answer:?}"
            );
            assert!(answer.header("retry-after").is_some(), "{answer:?}");
            seen.refused.fetch_add(1, Ordering::SeqCst);
        }
    }
    accepted
}

fn until(what: &str, count: &AtomicUsize, most: usize) {
    eventually(what, || (count.load(Ordering::SeqCst) >= most).then_some(()));
}

fn road(world: &HttpStub) -> Road {
    let road = load::road(world);
    let tick = "schedules: [{ cron: \"* * * * * *\", overlap: queue }]\n\
                run: state::add(`slot/${run::slot()}`, 1)\n";
    road.push("ops/flows/tick.yaml", tick);
    road
}

/// Fills the disk under load, lets slots pass, and makes space again. Gives what was accepted.
fn fill_and_free(road: &Road, runner: &Runner<'_>, disk: &SmallDisk) -> Vec<String> {
    let seen = Seen::default();
    thread::scope(|scope| {
        let loading: Vec<_> = (0..CLIENTS)
            .map(|_| (runner.client().clone(), &seen))
            .map(|(client, seen)| scope.spawn(move || load(&client, seen)))
            .collect();
        until("runs are accepted", &seen.accepted, CLIENTS * ENOUGH);
        disk.fill();
        // The database has room of its own that has to be used up.
        until("runs are refused", &seen.refused, 1);
        let refused = seen.refused.load(Ordering::SeqCst);
        until("all are refused", &seen.refused, refused + CLIENTS * ENOUGH);
        // Slots pass that cannot be recorded.
        pause(Duration::from_secs(3));
        assert_eq!(runner.get("/workspaces/ops")["state"], "live", "reading goes on");
        road.push_script("shop/flows/hello.rhai", "`pushed`");
        let pushed = runner.post("/sync", &json!({ "wait": 1 }));
        assert!(matches!(pushed.status, 200 | 202 | 503), "{pushed:?}");
        let before = seen.accepted.load(Ordering::SeqCst);
        disk.free();
        let freed = Instant::now();
        until("a run is accepted again", &seen.accepted, before + 1);
        told(&format!("accepted again {} ms after space returned", freed.elapsed().as_millis()));
        until("many are", &seen.accepted, before + CLIENTS * ENOUGH);
        seen.over.store(true, Ordering::SeqCst);
        loading.into_iter().flat_map(|client| client.join().unwrap()).collect()
    })
}

#[test]
fn a_full_disk_loses_no_run_and_mends_itself() {
    with_own_mounts("disk_full::a_full_disk_loses_no_run_and_mends_itself", || {
        let world = load::world();
        let road = road(&world);
        let disk = SmallDisk::on(&road.launch.data(), DISK);
        let runner = road.start();
        let accepted = fill_and_free(&road, &runner, &disk);
        eventually("the push is live", || {
            (runner.sync_of("shop")["outcome"] != "rejected").then_some(())?;
            (runner.result("shop/hello") == "pushed").then_some(())
        });
        load::check(&runner, &world, &accepted);
        let slots = eventually("the slots that passed have fired", || {
            let slots = schedules::ticks(&runner);
            (slots.len() > 3).then_some(slots)
        });
        schedules::check(&slots);
        assert!(!runner.serve().stderr().contains("panicked"), "{}", runner.serve().stderr());
        assert_eq!(runner.terminate().code(), Some(0));
        assert_eq!(integrity(&road), "ok");
    });
}

#[test]
fn a_runner_that_cannot_write_stops_and_does_not_start_until_it_can() {
    with_own_mounts(
        "disk_full::a_runner_that_cannot_write_stops_and_does_not_start_until_it_can",
        || {
            let world = load::world();
            let road = road(&world);
            let disk = SmallDisk::on(&road.launch.data(), DISK);
            let runner = road.start();
            let seen = Seen::default();
            let accepted = thread::scope(|scope| {
                let (client, seen) = (runner.client(), &seen);
                let loading = scope.spawn(|| load(client, seen));
                until("runs are accepted", &seen.accepted, ENOUGH);
                disk.fill();
                until("runs are refused", &seen.refused, ENOUGH);
                seen.over.store(true, Ordering::SeqCst);
                loading.join().unwrap()
            });
            let pid = runner.pid();
            assert_eq!(runner.terminate().code(), Some(0));
            assert_eq!(signalbox_e2e::cells(pid), []);
            let (status, said) = road.launch.start_failing();
            assert_eq!(status.code(), Some(4), "{said}");
            assert!(said.contains("SB0704") && said.contains("space"), "{said}");
            disk.free();
            let runner = road.start();
            load::check(&runner, &world, &accepted);
            assert_eq!(runner.terminate().code(), Some(0));
            assert_eq!(integrity(&road), "ok");
        },
    );
}

#[test]
fn a_log_that_cannot_be_written_stops_nothing() {
    with_own_mounts("disk_full::a_log_that_cannot_be_written_stops_nothing", || {
        let road = signalbox_e2e::Scene::platform().road();
        let disk = SmallDisk::on(&road.launch.home().join("log"), 1 << 20);
        let file = road.launch.home().join("log/stderr");
        let log = std::fs::File::create(&file).unwrap();
        let mut command = road.launch.command();
        command
            .arg("serve")
            .arg("--repo")
            .arg(road.repo.path())
            .arg("--data")
            .arg(road.launch.data());
        let mut child = command.args(["--listen", "127.0.0.1:0"]).stderr(log).spawn().unwrap();
        let url = eventually("the runner is ready", || {
            let said = std::fs::read_to_string(&file).unwrap();
            let (_, url) = said.split_once("ready at ")?;
            Some(url.split_whitespace().next()?.to_owned())
        });
        let client = Client::new(&url);
        client.post("/api/v1/sync", &json!({ "wait": 50 })).expect(200);
        disk.fill();
        // Each rejected push and each start of a flow says something.
        for n in 0..20 {
            road.push("ops/flows/bad.rhai", &format!("fn main(inputs) {{ {n} +\n"));
            client.post("/api/v1/sync", &json!({ "wait": 50 })).expect(200);
            let path = "/api/v1/workspaces/ops/flows/hello/runs?wait=50";
            assert_eq!(client.post(path, &json!({})).expect(200)["state"], "succeeded");
        }
        let pid = i32::try_from(child.id()).unwrap();
        rustix::process::kill_process(
            rustix::process::Pid::from_raw(pid).unwrap(),
            rustix::process::Signal::TERM,
        )
        .unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(0));
    });
}

/// What SQLite says of the database as it lies there.
fn integrity(road: &Road) -> Value {
    let database = rusqlite::Connection::open(road.launch.data().join("signalbox.db")).unwrap();
    let said: String = database.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    said.into()
}

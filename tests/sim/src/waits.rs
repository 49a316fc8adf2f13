//! What runs that wait do when somebody sets the wall clock: the real engine, without faults.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use signalbox_core::clock::Timestamp;
use signalbox_core::run::State;
use signalbox_core::{RunId, Value};
use signalbox_engine::doors::Doors;
use signalbox_engine::{Engine, Handle, Options, StartRequest};
use signalbox_store::sqlite::{self, SqliteStore};
use signalbox_sync::hints::HintKind;
use signalbox_sync::{Location, Source};
use signalbox_testkit::Repo;

use crate::cells::SimCells;
use crate::clock::{SimAlarms, SimClock};
use crate::dice::Dice;
use crate::faults::{Faults, Rates};
use crate::model::Model;
use crate::store::FaultyStore;
use crate::trace::Trace;

const MINUTE: i64 = 60;
const HOUR: i64 = 3_600;
const DAY: i64 = 86_400;
const NONE: Rates =
    Rates { refused: 0, lost_answer: 0, crash: 0, slow: 0, lost_cell: 0, no_cell: 0 };

/// A run that sleeps for an hour, and the clock that it sleeps by.
struct Sleeper {
    handle: Handle,
    run: RunId,
    clock: Arc<SimClock>,
}

impl Sleeper {
    /// Time passes, whatever the wall clock shows.
    async fn pass(&self, seconds: i64) {
        tokio::time::sleep(Duration::from_secs(seconds.unsigned_abs())).await;
    }

    /// The run's state, and how often it woke up.
    async fn look(&self) -> (State, Value) {
        let store = self.handle.store();
        let workspace = "ops".parse().unwrap();
        let woken = store.state_get(&workspace, "woken").await.unwrap();
        (store.run(&self.run).await.unwrap().summary.state, woken.unwrap_or_default())
    }

    #[track_caller]
    fn sleeps(&self) -> impl Future<Output = ()> {
        let here = std::panic::Location::caller();
        async move { assert_eq!(self.look().await, (State::Suspended, Value::Null), "{here}") }
    }

    /// It has woken, and does not do so again.
    #[track_caller]
    fn is_over(&self) -> impl Future<Output = ()> {
        let here = std::panic::Location::caller();
        async move {
            for _ in 0..2 {
                assert_eq!(self.look().await, (State::Succeeded, Value::Int(1)), "{here}");
                self.pass(3 * DAY).await;
            }
        }
    }
}

/// Starts a run that sleeps for an hour from now, at a wall clock of its own.
fn sleeping(test: impl AsyncFnOnce(&Sleeper)) {
    let repo = Repo::new();
    let root = "version: 1\nworkspaces: { ops: { kind: platform, path: ops } }\n";
    repo.write("signalbox.yaml", root);
    repo.write("ops/flows/nap.yaml", "run: 'sleep(3600); state::add(\"woken\", 1)'\n");
    repo.commit("a nap");
    let data = tempfile::tempdir().unwrap();
    let clock = Arc::new(SimClock::at(Timestamp(1_772_323_200_000_000)));
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.unwrap().block_on(async {
        clock.resume(Timestamp(1_772_323_200_000_000));
        let engine = start(&repo, data.path(), &clock).await;
        let handle = engine.handle();
        let report = handle.sync(HintKind::Cli, Some(Duration::from_mins(1))).await.unwrap();
        assert!(report.unwrap().is_good());
        let flow = "ops/nap".parse().unwrap();
        let inputs = Value::Map(BTreeMap::new());
        let request = StartRequest { flow, inputs, idempotency_key: None };
        let run = handle.start(request).await.unwrap().run;
        let sleeper = Sleeper { handle, run, clock: Arc::clone(&clock) };
        sleeper.pass(MINUTE).await;
        sleeper.sleeps().await;
        test(&sleeper).await;
        engine.stop().await.unwrap();
    });
}

async fn start(repo: &Repo, data: &std::path::Path, clock: &Arc<SimClock>) -> Engine {
    let options = sqlite::Options { clock: Arc::clone(clock) as _ };
    let store = Arc::new(SqliteStore::open(data, options).unwrap());
    let (trace, model) = (Trace::new(Arc::clone(clock)), Model::default());
    let faults = Faults::new(NONE, Dice::of(1, 1), trace, model.clone());
    let doors = Doors {
        cells: Arc::new(SimCells { faults: Arc::clone(&faults), model }),
        alarms: Arc::new(SimAlarms(Arc::clone(clock))),
        random: Arc::new(Dice::of(1, 2)),
    };
    let location = Location::parse(&repo.path().to_string_lossy()).unwrap();
    let options = Options {
        source: Arc::new(Source::open(&location, None, "").unwrap()),
        source_name: "simulation".to_owned(),
        manifest: None,
        data: data.to_owned(),
        store: Arc::new(FaultyStore::new(store, faults)),
        clock: Arc::clone(clock) as _,
        cell: Default::default(),
        poll: Duration::from_hours(1),
        grace: Duration::from_secs(10),
        own_ports: Vec::new(),
    };
    Engine::start_through(options, doors).await.unwrap()
}

#[test]
fn a_sleeper_wakes_when_its_time_has_come() {
    sleeping(async |sleeper| {
        sleeper.pass(58 * MINUTE).await;
        sleeper.sleeps().await;
        sleeper.pass(2 * MINUTE).await;
        sleeper.is_over().await;
    });
}

#[test]
fn a_clock_that_is_set_forward_wakes_a_sleeper_at_once_and_once() {
    for by in [HOUR, DAY] {
        sleeping(async |sleeper| {
            sleeper.clock.jump(by);
            sleeper.pass(1).await;
            sleeper.is_over().await;
        });
    }
}

#[test]
fn a_clock_that_is_set_forward_a_little_brings_the_moment_nearer() {
    sleeping(async |sleeper| {
        sleeper.clock.jump(30 * MINUTE);
        sleeper.pass(28 * MINUTE).await;
        sleeper.sleeps().await;
        sleeper.pass(2 * MINUTE).await;
        sleeper.is_over().await;
    });
}

#[test]
fn a_clock_that_is_set_back_lets_a_sleeper_wait_until_it_is_there_again() {
    for back in [HOUR, DAY] {
        sleeping(async |sleeper| {
            sleeper.clock.jump(-back);
            sleeper.pass(back + 58 * MINUTE).await;
            sleeper.sleeps().await;
            sleeper.pass(2 * MINUTE).await;
            sleeper.is_over().await;
        });
    }
}

#[test]
fn a_clock_that_is_set_there_and_back_wakes_a_sleeper_once() {
    sleeping(async |sleeper| {
        sleeper.clock.jump(-DAY);
        sleeper.pass(MINUTE).await;
        sleeper.clock.jump(DAY);
        sleeper.pass(57 * MINUTE).await;
        sleeper.sleeps().await;
        sleeper.pass(2 * MINUTE).await;
        sleeper.clock.jump(-DAY);
        sleeper.is_over().await;
    });
}

//! The life, and the lives, of one runner in one simulation.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use signalbox_core::clock::{Clock as _, Timestamp};
use signalbox_engine::doors::Doors;
use signalbox_engine::{Engine, Options};
use signalbox_store::sqlite::{self, SqliteStore};
use signalbox_sync::hints::HintKind;
use tokio::task::JoinSet;

use crate::actions::{self, Actor};
use crate::cells::SimCells;
use crate::clock::{SimAlarms, SimClock};
use crate::dice::Dice;
use crate::faults::{Faults, Rates};
use crate::inspect::{self, Witness};
use crate::model::Model;
use crate::revisions::{Branch, Revisions};
use crate::store::FaultyStore;
use crate::trace::Trace;

/// 2026-03-01T00:00:00Z, where every simulation starts.
const START: Timestamp = Timestamp(1_772_323_200_000_000);
/// Actions of one simulation.
const ACTIONS: usize = 24;
/// Longest simulated time until everything has ended, once there are no faults any more.
const SETTLES_WITHIN: Duration = Duration::from_mins(10);
/// Set-backs and leaps of the clock, in seconds.
const JUMPS: [i64; 6] = [-86_400, -3_600, -30, 90, 3_600, 86_400];

/// A simulation.
#[derive(Debug)]
pub(crate) struct World<'a> {
    pub(crate) branch: Branch<'a>,
    pub(crate) revisions: &'a Revisions,
    pub(crate) clock: Arc<SimClock>,
    pub(crate) trace: Trace,
    pub(crate) model: Model,
    rates: Rates,
    dice: Dice,
    seed: u64,
    left: usize,
    lives: u64,
}

/// How a life ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LifeEnd {
    /// The runner died, or could not start.
    Crashed,
    /// It was stopped in order; another life follows.
    Stopped,
    /// Everything has been done, and has ended.
    Done,
}

impl<'a> World<'a> {
    pub(crate) fn new(revisions: &'a Revisions, seed: u64) -> Self {
        let clock = Arc::new(SimClock::at(START));
        let dice = Dice::of(seed, 0);
        Self {
            branch: revisions.branch(seed),
            revisions,
            trace: Trace::new(Arc::clone(&clock)),
            clock,
            model: Model::default(),
            rates: Rates::drawn(&dice),
            dice,
            seed,
            left: ACTIONS,
            lives: 0,
        }
    }

    /// Lives, one after the other, until everything is done; looks at the store in between.
    pub(crate) fn run(&mut self, data: &Path) -> Result<()> {
        self.trace.say(|| format!("seed {}: {:?}", self.seed, self.rates));
        loop {
            self.lives += 1;
            let options = sqlite::Options { clock: Arc::clone(&self.clock) as _ };
            let store = Arc::new(SqliteStore::open(data, options)?);
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_time()
                .start_paused(true)
                // What the thread of the store wakes comes in its order, whenever it is seen.
                .global_queue_interval(1)
                .build()?;
            let part = self.lives + 1;
            let dice = Dice::of(self.seed, part);
            let faults = Faults::new(self.rates, dice, self.trace.clone(), self.model.clone());
            let now = self.clock.now();
            let end = runtime.block_on(async {
                self.clock.resume(now);
                self.model.known().watch.reopened();
                inspect::between_lives(store.as_ref(), &self.witness()).await?;
                self.life(data, &store, &faults).await
            });
            // Whatever the runner was about to do ends here, and with it the last users of the store.
            drop(runtime);
            drop(faults);
            let alone = Arc::try_unwrap(store);
            ensure!(alone.is_ok(), "something of a dead runner still has the store");
            match end? {
                LifeEnd::Done => break,
                LifeEnd::Crashed | LifeEnd::Stopped => self.downtime(),
            }
        }
        self.last_look(data)
    }

    fn witness(&self) -> Witness<'_> {
        Witness { model: &self.model, trace: &self.trace, revisions: self.revisions }
    }

    fn last_look(&self, data: &Path) -> Result<()> {
        let options = sqlite::Options { clock: Arc::clone(&self.clock) as _ };
        let store = SqliteStore::open(data, options)?;
        let runtime = tokio::runtime::Builder::new_current_thread().build()?;
        runtime.block_on(inspect::at_the_end(&store, &self.witness()))
    }

    /// The machine is off for a while.
    fn downtime(&self) {
        let seconds = *self.dice.pick(&[0, 1, 5, 20, 50, 70, 300, 7_200]).unwrap_or(&0);
        self.clock.pass(Duration::from_secs(seconds));
    }

    async fn life(
        &mut self,
        data: &Path,
        store: &Arc<SqliteStore>,
        faults: &Arc<Faults>,
    ) -> Result<LifeEnd> {
        let started = tokio::select! {
            biased;
            () = faults.death() => return Ok(LifeEnd::Crashed),
            started = self.start(data, store, faults) => started,
        };
        let engine = match started {
            Ok(engine) => engine,
            Err(error) => {
                self.trace.say(|| format!("the runner cannot start: {error:#}"));
                return Ok(LifeEnd::Crashed);
            }
        };
        if self.model.known().first_live.is_some() {
            self.model.known().timeline.begin(self.clock.now());
        }
        let actor = Actor {
            handle: engine.handle(),
            dice: Dice::of(self.seed, 1_000 + self.lives),
            model: self.model.clone(),
            trace: self.trace.clone(),
        };
        tokio::select! {
            biased;
            () = faults.death() => Ok(LifeEnd::Crashed),
            end = self.act(engine, &actor, faults) => end,
        }
    }

    async fn start(
        &self,
        data: &Path,
        store: &Arc<SqliteStore>,
        faults: &Arc<Faults>,
    ) -> Result<Engine> {
        let faulty = FaultyStore::new(Arc::clone(store), Arc::clone(faults));
        let doors = Doors {
            cells: Arc::new(SimCells { faults: Arc::clone(faults), model: self.model.clone() }),
            alarms: Arc::new(SimAlarms(Arc::clone(&self.clock))),
            random: Arc::new(Dice::of(self.seed, 2_000 + self.lives)),
        };
        let options = Options {
            source: Arc::new(self.branch.source()),
            source_name: "simulation".to_owned(),
            manifest: None,
            data: data.to_owned(),
            store: Arc::new(faulty),
            clock: Arc::clone(&self.clock) as _,
            cell: Default::default(),
            poll: Duration::from_mins(10),
            grace: Duration::from_secs(10),
            own_ports: Vec::new(),
        };
        Ok(Engine::start_through(options, doors).await?)
    }

    /// Acts until nothing is left to do; then ends the faults and waits for everything to end.
    async fn act(
        &mut self,
        engine: Engine,
        actor: &Actor,
        faults: &Arc<Faults>,
    ) -> Result<LifeEnd> {
        self.first_deployment(actor).await;
        let mut acts = JoinSet::new();
        while self.left > 0 {
            self.left -= 1;
            tokio::time::sleep(self.dice.millis(8_000)).await;
            match self.dice.below(100) {
                0..6 => self.jump(),
                6..14 => {
                    let commit = self.dice.below(self.branch.commits());
                    self.trace.met(&format!("push of version {}", commit + 1));
                    self.branch.push(commit);
                    let actor = actor.clone();
                    acts.spawn(async move { actions::sync(&actor).await });
                }
                14..17 => {
                    self.trace.met("an orderly stop");
                    self.model.known().timeline.end(self.clock.now());
                    let stopped = engine.stop().await;
                    self.trace.say(|| format!("stopped: {stopped:?}"));
                    return Ok(LifeEnd::Stopped);
                }
                17..20 if self.rates.crash > 0 => {
                    faults.crash("out of the blue");
                    return Ok(LifeEnd::Crashed);
                }
                _ => drop(acts.spawn(actions::drawn(&self.dice)(actor.clone()))),
            }
        }
        faults.end();
        // A clock that was set back is put right: whoever waits for a moment would wait too long.
        let behind = self.clock.latest().since(self.clock.now());
        if !behind.is_zero() {
            self.set_clock(i64::try_from(behind.as_secs()).unwrap_or(0) + 1);
        }
        self.trace.say(|| "no faults from here on".to_owned());
        while acts.join_next().await.is_some() {}
        self.settle(actor).await?;
        self.model.known().settled = Some(self.clock.now());
        self.model.known().timeline.end(self.clock.now());
        engine.stop().await.context("the orderly stop at the end")?;
        Ok(LifeEnd::Done)
    }

    /// Nothing can be started before something is live.
    async fn first_deployment(&self, actor: &Actor) {
        while self.model.known().first_live.is_none() {
            drop(actor.handle.sync(HintKind::Cli, Some(Duration::from_mins(1))).await);
            if actor.handle.live().catalog.workspaces.len() == 2 {
                let now = self.clock.now();
                let mut known = self.model.known();
                known.first_live = Some(now);
                known.timeline.begin(now);
            }
        }
    }

    fn jump(&self) {
        let by = *self.dice.pick(&JUMPS).unwrap_or(&0);
        self.trace.met(&format!("the clock jumps by {by} s"));
        self.set_clock(by);
    }

    fn set_clock(&self, by_seconds: i64) {
        let from = self.clock.now();
        let to = self.clock.jump(by_seconds);
        let mut known = self.model.known();
        known.timeline.jump(from, to);
        known.jumps += 1;
        known.watch.jumped();
    }

    /// Waits until every run has ended, and a last push is live.
    async fn settle(&self, actor: &Actor) -> Result<()> {
        let began = tokio::time::Instant::now();
        let unanswered: Vec<_> = {
            let known = actor.model.known();
            let open = known.requests.iter().filter(|(_, request)| request.keyed);
            open.map(|(number, _)| *number).collect()
        };
        for number in unanswered {
            actions::request(actor, number).await;
        }
        let pauses = self.model.known().pauses.len();
        for pause in 0..pauses {
            ensure!(actions::go_on(actor, pause).await, "schedules cannot go on");
        }
        self.branch.push(self.dice.below(self.branch.commits() - 1));
        let report = actor.handle.sync(HintKind::Cli, Some(Duration::from_mins(2))).await?;
        let report = report.context("the last push is not looked at")?;
        ensure!(report.is_good(), "the last push is good and not live: {report:?}");
        loop {
            // Long enough for a slot, and for whatever is tried again.
            tokio::time::sleep(Duration::from_secs(25)).await;
            // A slot may just have fired: its run has a moment to end.
            for _ in 0..50 {
                if actions::open_runs(&actor.handle).await? == 0 {
                    return Ok(());
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            if began.elapsed() > SETTLES_WITHIN {
                bail!("runs do not end: {}", inspect::open(actor.handle.store().as_ref()).await?);
            }
        }
    }
}

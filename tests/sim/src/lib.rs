//! A seeded simulation of Signalbox: the real engine, the real store on SQLite and the real code of
//! cells, over a virtual clock, a seeded random source, and faults: operations of the store that
//! fail, writes whose answer is lost, a runner that dies between any two writes, cells that are lost
//! at any frame, clocks that jump, and whatever takes long.
//!
//! A seed draws what people do, what goes wrong, and how long everything takes. Then the faults end,
//! everything that was accepted must end, and [`inspect`] looks at what is left.
//!
//! # A seed repeats
//! A life of a runner is one thread with tokio's paused time: time passes only when nobody has
//! anything to do. The store and the cells have threads of their own, but the simulation waits for
//! each of them where it asked, and cells have the simulation's clock, so nobody's speed decides
//! anything. What is ready at once is taken in a fixed order (`biased` in every `select!` of the
//! engine), and nothing that decides comes out of a hash map. So a seed does the same each time, on
//! any machine, however busy: `a_seed_happens_again_exactly` holds that, `--twice` measures it.
//!
//! What is *not* simulated: power loss (SQLite's own tests do that), processes of cells and their
//! limits, the network. Those are the end-to-end tests' business.
//!
//! # What sees what
//! Each promise was broken once in the product, and the first seed that saw it was:
//!
//! | broken | seed | what was seen |
//! |---|---|---|
//! | a sleep ends three seconds early | 0 | woken before its moment |
//! | the next moment is not told after a commit | 0 | a run waits, and nothing is due |
//! | back-off has no length | 0 | tried again too early |
//! | attempts have no end | 0 | a run does not end, seven attempts of two |
//! | deadlines are not looked at | 0 | a run does not end |
//! | a successor does not take over who waits | 0 | a caller waits for ever |
//! | an ending starts no handler | 0 | nothing handles a failure |
//! | every success is a recovery | 2 | a recovery handles what is none |
//! | a recovery is none | 15 | a recovery that nothing handles |
//! | handlers are handled | 0 | a handler handles a handler |
//! | slots that queue, cancel or skip fire at once | 0 | two runs of a schedule side by side |
//! | a slot at or before the last one fires | 2 | a slot fired twice |
//! | pauses are not looked at | 2 | a slot of a paused schedule fired |
//! | slots of a pause are owed | 2 | a slot from before the end of the pause fired |
//! | of missed slots only the latest fires, or none | 2 | slots are lost |
//! | a slot whose jitter is not over is settled | 38 | a slot is lost |
//! | a key takes one more | 1 | a key over its limit |
//! | a key is free after a restart | 93 | a key over its limit |
//! | a full key keeps nobody out | 24 | taken with as many open runs as the key takes |
//! | debounce does not wait | 2 | a run began before it was due |
//! | priorities are worth nothing | 2 | a run went before a more urgent one |
//! | deliveries have no key | 0 | one delivery is two runs |
mod actions;
mod catalogue;
mod cells;
mod clock;
mod dice;
mod faults;
mod inspect;
mod model;
mod revisions;
mod store;
mod timeline;
mod trace;
mod watch;
mod world;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::{Context as _, Result};

pub use revisions::Revisions;
pub use trace::Tally;
use world::World;

/// A seed that broke a promise.
#[derive(Debug)]
pub struct Broken {
    /// The seed.
    pub seed: u64,
    /// Which promise, and how.
    pub what: String,
    /// What happened, in order.
    pub trace: Vec<String>,
}

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for line in &self.trace {
            writeln!(f, "  {line}")?;
        }
        writeln!(f, "seed {} is broken: {}", self.seed, self.what)?;
        write!(f, "  see it again: cargo xtask sim --from {} --trace", self.seed)
    }
}

/// What a seed, or many, went through.
#[derive(Debug, Default)]
pub struct Report {
    /// Seeds that broke a promise, by number; ten at most.
    pub broken: Vec<Broken>,
    /// Seeds that did not happen again as they had happened.
    pub unsteady: Vec<u64>,
    /// How often each fault was met, and each end of each flow.
    pub met: Tally,
}

/// Simulates one seed. Answers what happened, in order, and how often.
///
/// # Errors
/// A promise that was broken.
pub fn simulate(revisions: &Revisions, seed: u64) -> Result<(Vec<String>, Tally), Box<Broken>> {
    let mut world = World::new(revisions, seed);
    let run = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| -> Result<()> {
        let data = tempfile::tempdir_in(fast_folder()).context("make a data directory")?;
        world.run(data.path())
    }));
    let what = match run {
        Ok(Ok(())) => return Ok((world.trace.lines(), world.trace.tally())),
        Ok(Err(error)) => format!("{error:#}"),
        Err(_) => "something panicked; see above".to_owned(),
    };
    Err(Box::new(Broken { seed, what, trace: world.trace.lines() }))
}

/// Whether a seed happens again exactly as it happened.
///
/// # Errors
/// A promise that was broken.
pub fn repeats(revisions: &Revisions, seed: u64) -> Result<bool, Box<Broken>> {
    let (first, second) = (simulate(revisions, seed)?, simulate(revisions, seed)?);
    Ok(first == second)
}

/// Simulates seeds on as many threads as there are processors, until ten broke a promise.
pub fn simulate_all(seeds: std::ops::Range<u64>) -> Report {
    all(seeds, |revisions, seed, report| match simulate(revisions, seed) {
        Ok((_, tally)) => lock(report).count(tally),
        Err(broken) => lock(report).broken.push(*broken),
    })
}

/// Simulates each seed twice, on as many threads as there are processors.
pub fn repeat_all(seeds: std::ops::Range<u64>) -> Report {
    all(seeds, |revisions, seed, report| match repeats(revisions, seed) {
        Ok(true) => {}
        Ok(false) => lock(report).unsteady.push(seed),
        Err(broken) => lock(report).broken.push(*broken),
    })
}

fn lock(report: &Mutex<Report>) -> MutexGuard<'_, Report> {
    report.lock().unwrap_or_else(PoisonError::into_inner)
}

fn all(
    seeds: std::ops::Range<u64>,
    one: impl Fn(&Revisions, u64, &Mutex<Report>) + Sync,
) -> Report {
    let revisions = Revisions::new();
    let next = AtomicU64::new(seeds.start);
    let report = Mutex::new(Report::default());
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end {
                        return;
                    }
                    one(&revisions, seed, &report);
                    if lock(&report).broken.len() >= 10 {
                        next.store(seeds.end, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    let mut report = report.into_inner().unwrap_or_else(PoisonError::into_inner);
    report.broken.sort_by_key(|broken| broken.seed);
    report.unsteady.sort_unstable();
    report
}

impl Report {
    fn count(&mut self, tally: Tally) {
        for (what, times) in tally {
            *self.met.entry(what).or_default() += times;
        }
    }
}

/// Where data directories are: in memory when the machine has such a folder, because a thousand
/// simulations would otherwise wait for a disk most of the time.
fn fast_folder() -> PathBuf {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() }
}

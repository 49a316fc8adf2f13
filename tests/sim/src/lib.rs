//! A seeded simulation of Signalbox: the real engine, the real store on SQLite and the real code of
//! cells, over a virtual clock, a seeded random source, and faults: operations of the store that
//! fail, writes whose answer is lost, a runner that dies between any two writes, cells that are lost
//! at any frame, clocks that jump, and whatever takes long.
//!
//! A seed draws what people do, what goes wrong, and how long everything takes. Then the faults end,
//! everything that was accepted must end, and [`inspect`] looks at what is left.
//!
//! # How deterministic it is
//! A life of a runner is one thread with tokio's paused time: time passes only when nobody has
//! anything to do. The store and the cells have threads of their own, but the simulation waits for
//! each of them where it asked, so their speed decides nothing. What is left to chance: the order in
//! which `select!` looks at what is ready at once, the order of hash maps, git objects read on
//! another thread while a revision is deployed, and, on a machine that stands still for
//! milliseconds, additional frames of a cell that flushes by its own clock. A failing seed fails
//! again nearly always, with the same faults at the same places, and mostly with the same trace.
//! What is *not* simulated: power loss (SQLite's own tests do that), processes of cells and their
//! limits, the network. Those are the end-to-end tests' business.

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
mod world;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

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
        write!(f, "seed {} is broken: {}", self.seed, self.what)
    }
}

/// What a seed, or many, went through.
#[derive(Debug, Default)]
pub struct Report {
    /// Seeds that broke a promise, by number; ten at most.
    pub broken: Vec<Broken>,
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

/// Simulates seeds on as many threads as there are processors, until ten broke a promise.
pub fn simulate_all(seeds: std::ops::Range<u64>) -> Report {
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
                    let found = simulate(&revisions, seed);
                    let mut report = report.lock().unwrap_or_else(PoisonError::into_inner);
                    match found {
                        Ok((_, tally)) => report.count(tally),
                        Err(broken) => report.broken.push(*broken),
                    }
                    if report.broken.len() >= 10 {
                        next.store(seeds.end, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    let mut report = report.into_inner().unwrap_or_else(PoisonError::into_inner);
    report.broken.sort_by_key(|broken| broken.seed);
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

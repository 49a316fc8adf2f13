//! Fuzz targets: the places where Signalbox reads bytes that somebody else wrote, each with what
//! must hold whatever the bytes are.
//!
//! A [`Target`] is a function of some bytes that panics when a promise is broken. `cargo xtask
//! fuzz` looks for such bytes with libFuzzer, guided by coverage; the test in `tests/` gives every
//! target its seeds and the inputs that are kept in `corpus/`, so that what was found once fails
//! everywhere. Where a target judges an answer it does so in another way than the product does.

mod bytes;
mod cell;
mod cron;
mod diagnostics;
mod flow;
mod frames;
mod imports;
mod manifest;
mod panics;
mod seeds;
mod tree;
mod value;
mod webhook;

use std::path::Path;

pub use seeds::Seed;

/// A place where bytes from outside are read.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Its name, and that of its folder in `corpus/`.
    pub name: &'static str,
    run: fn(&[u8]),
    seeds: fn(&Path) -> Vec<Seed>,
}

/// Every target.
pub const TARGETS: [Target; 8] = [
    Target { name: "manifest", run: manifest::run, seeds: manifest::seeds },
    Target { name: "flow", run: flow::run, seeds: flow::seeds },
    Target { name: "cron", run: cron::run, seeds: cron::seeds },
    Target { name: "frames", run: frames::run, seeds: frames::seeds },
    Target { name: "imports", run: imports::run, seeds: imports::seeds },
    Target { name: "webhook", run: webhook::run, seeds: webhook::seeds },
    Target { name: "tree", run: tree::run, seeds: tree::seeds },
    Target { name: "value", run: value::run, seeds: value::seeds },
];

impl Target {
    /// The target of a name.
    pub fn find(name: &str) -> Option<Self> {
        TARGETS.into_iter().find(|target| target.name == name)
    }

    /// Reads some bytes.
    ///
    /// # Errors
    /// What was said when a promise was broken, or when code of this repository panicked and
    /// somebody caught it.
    pub fn try_run(&self, bytes: &[u8]) -> Result<(), String> {
        panics::forget();
        let ended = std::panic::catch_unwind(|| (self.run)(bytes));
        match (panics::told(), ended) {
            (None, Ok(())) => Ok(()),
            (Some(told), _) => Err(told),
            (None, Err(_)) => Err("a panic in another crate that nobody caught".to_owned()),
        }
    }

    /// What to begin with: made of the repository's own files and of examples.
    pub fn seeds(&self, repository: &Path) -> Vec<Seed> {
        (self.seeds)(repository)
    }
}

/// Notes panics of this repository's code also where they are caught. Called once, before any
/// target runs; those of other crates are silent, as the product catches them on purpose.
pub fn watch_panics() {
    panics::watch();
}

//! What goes wrong, and how often; and the switch that ends it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signalbox_core::clock::{Clock as _, Timestamp};
use tokio::sync::Notify;

use crate::clock::SimClock;
use crate::dice::Dice;
use crate::model::Model;
use crate::trace::Trace;

/// How often each fault happens, in a thousand chances.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rates {
    /// An operation of the store fails and has done nothing.
    pub(crate) refused: u32,
    /// A write is durable, but whoever asked is told that it failed.
    pub(crate) lost_answer: u32,
    /// The runner dies right before or right after a write.
    pub(crate) crash: u32,
    /// An operation of the store, or a cell, takes long.
    pub(crate) slow: u32,
    /// The socket of a cell is closed at a frame.
    pub(crate) lost_cell: u32,
    /// A cell cannot be started.
    pub(crate) no_cell: u32,
}

impl Rates {
    /// Rates of a seed: not every seed has every fault, so that each is met alone too.
    pub(crate) fn drawn(dice: &Dice) -> Self {
        let rate = |most: usize| {
            let of = dice.below(most + 1);
            if dice.happens(350) { 0 } else { u32::try_from(of).unwrap_or(0) }
        };
        Self {
            refused: rate(30),
            lost_answer: rate(30),
            crash: rate(12),
            slow: rate(20),
            lost_cell: rate(40),
            no_cell: rate(150),
        }
    }
}

/// The faults of one life of a runner, from its start to its end or crash.
#[derive(Debug)]
pub(crate) struct Faults {
    pub(crate) rates: Rates,
    pub(crate) dice: Dice,
    pub(crate) trace: Trace,
    quiet: AtomicBool,
    crashed: AtomicBool,
    died: Notify,
    pub(crate) model: Model,
    clock: Arc<SimClock>,
}

impl Faults {
    pub(crate) fn new(rates: Rates, dice: Dice, trace: Trace, model: Model) -> Arc<Self> {
        let clock = trace.clock();
        Arc::new(Self {
            rates,
            dice,
            trace,
            quiet: AtomicBool::new(false),
            crashed: AtomicBool::new(false),
            died: Notify::new(),
            model,
            clock,
        })
    }

    /// No faults from now on.
    pub(crate) fn end(&self) {
        self.quiet.store(true, Ordering::SeqCst);
    }

    /// Whether a fault happens now.
    pub(crate) fn happens(&self, in_a_thousand: u32) -> bool {
        !self.quiet.load(Ordering::SeqCst) && self.dice.happens(in_a_thousand)
    }

    /// The runner dies: nothing of it does anything from here on.
    pub(crate) fn crash(&self, at: &str) {
        if !self.crashed.swap(true, Ordering::SeqCst) {
            self.model.known().timeline.end(self.clock.now());
            self.trace.met(&format!("crash {at}"));
            self.died.notify_one();
        }
    }

    /// Whether the runner died: whoever sees this does nothing any more.
    pub(crate) fn is_crashed(&self) -> bool {
        self.crashed.load(Ordering::SeqCst)
    }

    /// The clock.
    pub(crate) fn clock(&self) -> Arc<SimClock> {
        Arc::clone(&self.clock)
    }

    /// What the clock shows.
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Notes what was seen of an operation: an error is a broken promise.
    pub(crate) fn saw(&self, seen: Result<(), String>) {
        if let Err(broken) = seen {
            self.trace.say(|| format!("BROKEN: {broken}"));
            self.model.known().broken.push(broken);
        }
    }

    /// Notes that a read of the store was refused: a script may have been told.
    pub(crate) fn refused_read(&self) {
        self.model.known().refused_reads += 1;
    }

    /// Resolves when the runner dies.
    pub(crate) async fn death(&self) {
        self.died.notified().await;
    }

    /// Notes that something happened that may make a schedule late.
    pub(crate) fn disturb(&self) {
        self.model.known().timeline.disturb(self.clock.now());
    }
}

//! The wall clock of a simulation: it follows tokio's paused time, and can be set.

use std::io;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use signalbox_core::clock::{Clock, Timestamp};
use signalbox_engine::doors::{Alarm, Alarms, Later};
use tokio::sync::Notify;
use tokio::time::Instant;

/// The wall clock. Outside of the simulated runtime it shows what was last seen inside.
#[derive(Debug)]
pub(crate) struct SimClock {
    /// The moment that the clock showed at an instant of the present life.
    set: Mutex<(Timestamp, Option<Instant>)>,
    seen: AtomicI64,
    /// The latest moment that it has shown.
    latest: AtomicI64,
    jumped: Notify,
}

impl SimClock {
    pub(crate) fn at(start: Timestamp) -> Self {
        let set = Mutex::new((start, None));
        let (seen, latest) = (AtomicI64::new(start.0), AtomicI64::new(start.0));
        Self { set, seen, latest, jumped: Notify::new() }
    }

    /// The latest moment that it has shown.
    pub(crate) fn latest(&self) -> Timestamp {
        Timestamp(self.latest.load(Ordering::SeqCst))
    }

    fn show(&self, moment: Timestamp) {
        self.seen.store(moment.0, Ordering::SeqCst);
        self.latest.fetch_max(moment.0, Ordering::SeqCst);
    }

    /// Goes on from a moment in the runtime of the caller.
    pub(crate) fn resume(&self, from: Timestamp) {
        *self.set.lock().unwrap_or_else(PoisonError::into_inner) = (from, Some(Instant::now()));
        self.show(from);
    }

    /// Goes on while no runtime is there.
    pub(crate) fn pass(&self, time: Duration) {
        let to = Timestamp(self.seen.load(Ordering::SeqCst)).plus(time);
        self.show(to);
    }

    /// Sets the clock, forwards or backwards; alarms notice.
    pub(crate) fn jump(&self, by_seconds: i64) -> Timestamp {
        let to = Timestamp(self.now().0 + by_seconds * 1_000_000);
        self.resume(to);
        self.jumped.notify_waiters();
        to
    }
}

impl Clock for SimClock {
    fn now(&self) -> Timestamp {
        if tokio::runtime::Handle::try_current().is_ok() {
            let (from, at) = *self.set.lock().unwrap_or_else(PoisonError::into_inner);
            let now = at.map_or(from, |at| from.plus(at.elapsed()));
            self.show(now);
        }
        Timestamp(self.seen.load(Ordering::SeqCst))
    }
}

/// Alarms on the wall clock of a simulation.
#[derive(Debug)]
pub(crate) struct SimAlarms(pub(crate) Arc<SimClock>);

impl Alarms for SimAlarms {
    fn alarm(&self, _of_the_engine: Arc<dyn Clock>) -> io::Result<Box<dyn Alarm>> {
        Ok(Box::new(SimAlarm(Arc::clone(&self.0))))
    }
}

#[derive(Debug)]
struct SimAlarm(Arc<SimClock>);

impl Alarm for SimAlarm {
    fn until(&mut self, moment: Option<Timestamp>) -> Later<'_, ()> {
        Box::pin(async move {
            let Some(moment) = moment else { return std::future::pending().await };
            let jumped = self.0.jumped.notified();
            let wait = moment.since(self.0.now());
            if wait.is_zero() {
                return;
            }
            tokio::select! {
                biased;
                () = jumped => {}
                () = tokio::time::sleep(wait) => {}
            }
        })
    }
}

//! When a runner was well, by its wall clock: which slots it owes.

use std::time::Duration;

use signalbox_core::clock::Timestamp;

/// After a disturbance a runner may need this long to catch up.
const RECOVERY: Duration = Duration::from_secs(8);
/// A slot that is late by at most this fires: see `signalbox_engine`'s scheduler.
const LATE: Duration = Duration::from_mins(1);
/// A runner that was well for this long while a slot could fire has fired it.
const ENOUGH: Duration = Duration::from_secs(15);

/// The spans in which nothing disturbed the runner, and its clock showed what it never had shown.
#[derive(Debug, Default)]
pub(crate) struct Timeline {
    spans: Vec<(Timestamp, Timestamp)>,
    open: Option<Timestamp>,
    /// The latest moment that the clock has shown.
    latest: Timestamp,
}

impl Timeline {
    /// The runner is up and has what it needs, from `now` on.
    pub(crate) fn begin(&mut self, now: Timestamp) {
        self.open = Some(now.plus(RECOVERY).max(self.latest));
    }

    /// Something happened now after which a runner needs time.
    pub(crate) fn disturb(&mut self, now: Timestamp) {
        if self.open.is_some() {
            self.end(now);
            self.begin(now);
        }
    }

    /// The clock was set.
    pub(crate) fn jump(&mut self, from: Timestamp, to: Timestamp) {
        if self.open.is_some() {
            self.end(from);
            self.begin(to);
        }
    }

    /// The runner is down.
    pub(crate) fn end(&mut self, now: Timestamp) {
        if let Some(from) = self.open.take().filter(|from| *from < now) {
            self.spans.push((from, now));
        }
        self.latest = self.latest.max(now);
    }

    /// Slots, `every` so many seconds, that must have fired.
    pub(crate) fn owed(&self, every: i64) -> Vec<Timestamp> {
        let mut slots = Vec::new();
        let step = every * 1_000_000;
        for (from, to) in &self.spans {
            let first = from.minus(LATE).0.div_euclid(step) + 1;
            for slot in (first..).map(|number| Timestamp(number * step)) {
                let well = slot.max(*from);
                let end = slot.plus(LATE).min(*to);
                if slot >= *to {
                    break;
                }
                if end.since(well) >= ENOUGH {
                    slots.push(slot);
                }
            }
        }
        slots.dedup();
        slots
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp(seconds * 1_000_000)
    }

    #[test]
    fn a_slot_is_owed_when_the_runner_was_well_for_long_enough_while_it_could_fire() {
        let mut timeline = Timeline::default();
        timeline.begin(at(1_000));
        timeline.end(at(1_100));
        assert_eq!(
            timeline.owed(20),
            [at(980), at(1_000), at(1_020), at(1_040), at(1_060), at(1_080)]
        );
        let mut down = Timeline::default();
        down.begin(at(1_000));
        down.end(at(1_010));
        assert_eq!(down.owed(20), []);
    }

    #[test]
    fn what_the_clock_has_shown_before_is_owed_once() {
        let mut timeline = Timeline::default();
        timeline.begin(at(1_000));
        timeline.jump(at(1_060), at(1_000));
        timeline.end(at(1_055));
        assert_eq!(timeline.owed(20), [at(980), at(1_000), at(1_020), at(1_040)]);
    }
}

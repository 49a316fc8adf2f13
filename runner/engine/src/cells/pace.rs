//! Which cells wait when the processors are wanted by more than there are.
//!
//! Cells stand behind the runner: what it does for everybody does not wait for what one of them
//! computes. A cell that computes much stands behind the others, be it with one long run or with a
//! thousand short ones: a workspace that computes for minutes, or is flooded, does not delay
//! another's few short runs. On a machine that has time for all of them, none of this is felt.

use std::time::Duration;

use tokio::time::Instant;

use crate::doors::{Place, Process};

/// A run that has computed for longer, waiting for the processor not included, is a long one.
const LONG: Duration = Duration::from_millis(20);
/// Between two looks at what a run has computed, at first and at most.
const LOOK: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(320));
/// What a cell computes is judged over at least so long.
const WINDOW: Duration = Duration::from_millis(100);
/// A cell that computes for one of so many parts of the time computes much: a hundred runs a second
/// of one step are one of a hundred.
const MUCH: u32 = 5;
/// One that computes for less than one of so many parts computes little.
const LITTLE: u32 = 10;

/// Where a cell stands, and what is known of what it computes.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// When the run is looked at next, and the time from then to the look after.
    next: Option<(Instant, Duration)>,
    /// What the cell had computed at the first look at the run.
    before: Option<Duration>,
    /// When the cell was judged last, and what it had computed until then.
    judged: Option<(Instant, Duration)>,
    behind: bool,
}

impl Pace {
    /// When a run that began then, and computes, is to be looked at.
    pub(super) fn look_at(&self, began: Instant) -> Option<Instant> {
        (!self.behind).then(|| self.next.map_or(began + LOOK.0, |(at, _)| at))
    }

    /// Looks at what the run has computed, if it is time, and lets the cell step back.
    pub(super) fn look(&mut self, process: &dyn Process, began: Instant, now: Instant) {
        if self.look_at(began).is_none_or(|at| now < at) {
            return;
        }
        let pause = self.next.map_or(LOOK.0, |(_, pause)| pause);
        self.next = Some((now + pause, (pause * 2).min(LOOK.1)));
        let Some(computed) = process.computed() else { return };
        let before = *self.before.get_or_insert(computed);
        if computed.saturating_sub(before) >= LONG {
            self.behind = process.stand(Place::Back);
        }
    }

    /// Runs are over: judges what the cell computes. Answers whether it is where it should be: a
    /// runner without the right to let a cell step forward again must take another one.
    pub(super) fn over(&mut self, process: &dyn Process, now: Instant) -> bool {
        (self.next, self.before) = (None, None);
        if self.judged.is_some_and(|(at, _)| now < at + WINDOW) {
            return true;
        }
        let Some(computed) = process.computed() else { return true };
        let Some((at, before)) = self.judged.replace((now, computed)) else { return true };
        let (computed, passed) = (computed.saturating_sub(before), now - at);
        if computed * MUCH >= passed {
            self.behind = self.behind || process.stand(Place::Back);
        } else if self.behind && computed * LITTLE < passed {
            self.behind = false;
            return process.stand(Place::Usual);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::doors::{Ended, Later};

    /// A cell that has computed so much, on a machine that lets it step forward again or not.
    #[derive(Debug, Default)]
    struct Computing {
        computed: Mutex<Duration>,
        place: Mutex<Option<Place>>,
        stays: bool,
    }

    impl Process for Computing {
        fn kill(&self) {}

        fn reap(&mut self) -> Later<'_, Ended> {
            Box::pin(async { Ended::killed() })
        }

        fn computed(&self) -> Option<Duration> {
            Some(*self.computed.lock().unwrap())
        }

        fn stand(&self, place: Place) -> bool {
            if self.stays && place == Place::Usual {
                return false;
            }
            *self.place.lock().unwrap() = Some(place);
            true
        }
    }

    impl Computing {
        fn computes(&self, time: Duration) {
            *self.computed.lock().unwrap() += time;
        }

        fn place(&self) -> Option<Place> {
            *self.place.lock().unwrap()
        }
    }

    fn look(pace: &mut Pace, cell: &Computing, began: Instant) {
        let at = pace.look_at(began).unwrap();
        pace.look(cell, began, at);
    }

    #[test]
    fn a_run_that_computes_for_long_steps_back_and_its_cell_forward_again_when_it_rests() {
        let (mut pace, cell, began) = (Pace::default(), Computing::default(), Instant::now());
        cell.computes(Duration::from_hours(1));
        assert!(pace.over(&cell, began));
        look(&mut pace, &cell, began);
        assert_eq!(cell.place(), None, "what it computed for others does not count");
        cell.computes(LONG);
        look(&mut pace, &cell, began);
        assert_eq!(cell.place(), Some(Place::Back));
        assert_eq!(pace.look_at(began), None, "nothing more is to be found out");
        assert!(pace.over(&cell, began + WINDOW));
        assert_eq!(cell.place(), Some(Place::Back), "it computed for a fifth of the time");
        assert!(pace.over(&cell, began + WINDOW * 2));
        assert_eq!(cell.place(), Some(Place::Usual));
    }

    #[test]
    fn many_short_runs_are_as_much_as_a_long_one() {
        let (mut pace, cell, began) = (Pace::default(), Computing::default(), Instant::now());
        for run in 0..300 {
            assert!(pace.over(&cell, began + Duration::from_millis(run)));
            cell.computes(Duration::from_micros(300));
        }
        assert_eq!(cell.place(), Some(Place::Back));
    }

    #[test]
    fn a_cell_with_few_short_runs_stays_where_it_is() {
        let (mut pace, cell, began) = (Pace::default(), Computing::default(), Instant::now());
        for run in 0..300 {
            assert!(pace.over(&cell, began + Duration::from_millis(run * 10)));
            cell.computes(Duration::from_micros(300));
        }
        assert_eq!(cell.place(), None);
    }

    #[test]
    fn a_run_that_is_kept_from_computing_stays_where_it_is_and_is_looked_at_less_often() {
        let (mut pace, cell, began) = (Pace::default(), Computing::default(), Instant::now());
        for _ in 0..20 {
            look(&mut pace, &cell, began);
        }
        assert_eq!(cell.place(), None);
        assert!(pace.look_at(began) > Some(began + Duration::from_secs(4)), "{pace:?}");
        assert!(pace.over(&cell, began + WINDOW));
    }

    #[test]
    fn a_cell_that_cannot_step_forward_again_is_not_used_again() {
        let cell = Computing { stays: true, ..Computing::default() };
        let (mut pace, began) = (Pace::default(), Instant::now());
        assert!(pace.over(&cell, began));
        look(&mut pace, &cell, began);
        cell.computes(LONG);
        look(&mut pace, &cell, began);
        assert!(pace.over(&cell, began + WINDOW));
        assert!(!pace.over(&cell, began + WINDOW * 2));
    }
}

//! The health of one workspace, as it is measured.

use signalbox_core::clock::Timestamp;
use signalbox_core::health::{Breach, Ended, Tally, Thresholds, Window};

/// What the measuring of a workspace comes to.
#[derive(Debug, PartialEq)]
pub(super) enum Verdict {
    /// Nothing changes before this moment by itself.
    Same(Option<Timestamp>),
    /// It is unhealthy.
    Raise(Vec<Breach>),
    /// It was unhealthy and has been healthy for long enough.
    Clear,
}

/// Measures one workspace.
#[derive(Debug)]
pub(super) struct Gauge {
    pub(super) thresholds: Thresholds,
    window: Window,
    /// Since when a workspace whose alarm is raised is healthy.
    well_since: Option<Timestamp>,
}

impl Gauge {
    pub(super) fn new(thresholds: Thresholds, now: Timestamp) -> Self {
        let window = Window::new(thresholds.window, now);
        Self { thresholds, window, well_since: None }
    }

    /// Counts a run. Answers whether somebody must look.
    pub(super) fn note(&mut self, ended: Ended, raised: bool, now: Timestamp) -> bool {
        self.window.note(ended);
        let well = self.breaches(now).is_empty();
        if !well {
            self.well_since = None;
        }
        // Both the first run that makes it unhealthy and the first that makes it healthy again.
        if raised { well && self.well_since.is_none() } else { !well }
    }

    /// Counts a run that ended before anybody looked.
    pub(super) fn fill(&mut self, ended: Ended) {
        self.window.note(ended);
    }

    /// The runs that count now.
    pub(super) fn tally(&mut self, now: Timestamp) -> Tally {
        self.window.sum(now)
    }

    fn breaches(&mut self, now: Timestamp) -> Vec<Breach> {
        self.thresholds.judge(self.window.sum(now))
    }

    pub(super) fn judge(&mut self, raised: bool, now: Timestamp) -> Verdict {
        let breaches = self.breaches(now);
        let next = self.window.next_change();
        match (raised, breaches.is_empty()) {
            (false, true) => Verdict::Same(next),
            (false, false) => Verdict::Raise(breaches),
            (true, false) => {
                self.well_since = None;
                Verdict::Same(next)
            }
            (true, true) => {
                // A clock that was set back makes it wait anew.
                let since = self.well_since.filter(|since| *since <= now).unwrap_or(now);
                self.well_since = Some(since);
                let over = since.plus(self.thresholds.hold());
                if over <= now {
                    return Verdict::Clear;
                }
                Verdict::Same(Some(next.map_or(over, |next| next.min(over))))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use signalbox_core::health::Percent;

    use super::*;

    fn minutes(minutes: i64) -> Timestamp {
        Timestamp(minutes * 60_000_000)
    }

    fn gauge() -> Gauge {
        let thresholds = Thresholds {
            error_rate: Some(Percent(5_000)),
            success_rate: None,
            failed_runs: Some(2),
            average_duration: None,
            window: Duration::from_hours(1),
        };
        Gauge::new(thresholds, minutes(0))
    }

    fn run(at: i64, failed: bool) -> Ended {
        Ended { at: minutes(at), failed, duration_us: 1 }
    }

    #[test]
    fn it_is_raised_at_once_and_over_when_it_was_well_for_a_tenth_of_the_window() {
        let mut gauge = gauge();
        assert_eq!(gauge.judge(false, minutes(0)), Verdict::Same(None));
        assert!(!gauge.note(run(0, true), false, minutes(0)));
        assert!(!gauge.note(run(1, true), false, minutes(1)));
        assert!(gauge.note(run(2, true), false, minutes(2)));
        assert!(matches!(gauge.judge(false, minutes(2)), Verdict::Raise(_)));
        assert_eq!(gauge.judge(true, minutes(2)), Verdict::Same(Some(minutes(60))));
        assert_eq!(gauge.judge(true, minutes(60)), Verdict::Same(Some(minutes(61))));
        assert_eq!(gauge.judge(true, minutes(65)), Verdict::Same(Some(minutes(66))));
        assert_eq!(gauge.judge(true, minutes(66)), Verdict::Clear);
    }

    #[test]
    fn a_relapse_makes_it_wait_anew() {
        let mut gauge = gauge();
        for at in [0, 1, 2] {
            gauge.note(run(at, true), false, minutes(at));
        }
        assert_eq!(gauge.judge(true, minutes(62)), Verdict::Same(Some(minutes(68))));
        for _ in 0..3 {
            gauge.note(run(63, true), true, minutes(63));
        }
        assert_eq!(gauge.judge(true, minutes(68)), Verdict::Same(Some(minutes(123))));
        assert_eq!(gauge.judge(true, minutes(123)), Verdict::Same(Some(minutes(129))));
    }

    #[test]
    fn the_run_that_makes_it_healthy_again_is_told_once() {
        let mut gauge = gauge();
        gauge.thresholds.failed_runs = None;
        for failed in [true; 9] {
            assert!(!gauge.note(run(0, failed), false, minutes(0)));
        }
        assert!(gauge.note(run(0, true), false, minutes(0)));
        let woken: Vec<_> = (0..12).map(|_| gauge.note(run(1, false), true, minutes(1))).collect();
        assert_eq!(woken.iter().position(|woken| *woken), Some(9));
        assert!(matches!(gauge.judge(true, minutes(1)), Verdict::Same(Some(_))));
        assert!(!gauge.note(run(1, false), true, minutes(1)));
    }
}

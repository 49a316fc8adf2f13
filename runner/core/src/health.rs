//! The health of a workspace: how its runs ended lately, and what of that is too bad.
//!
//! What is counted are runs that succeeded or failed for good. Runs that were cancelled or skipped
//! say nothing about the workspace, and those that a handler is are left out by whoever counts: an
//! alert that cannot be delivered must not make a workspace look worse than it is.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::value::Value;

/// Rates and averages of fewer runs are not judged: one failure of three says little.
pub const FEWEST_RUNS: u64 = 10;
/// Parts of a window: what leaves it, leaves it a part at a time.
const PARTS: i64 = 60;

/// What is still healthy, over a window of time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Thresholds {
    /// Of the runs, at most so many failed.
    pub error_rate: Option<Percent>,
    /// Of the runs, at least so many succeeded.
    pub success_rate: Option<Percent>,
    /// At most so many runs failed.
    pub failed_runs: Option<u32>,
    /// The average run took at most so long, from its start to its end.
    pub average_duration: Option<Duration>,
    /// Runs count for so long after their end.
    pub window: Duration,
}

/// A part of a whole, in hundredths of a percent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Percent(pub u32);

impl Percent {
    /// The whole.
    pub const ALL: Self = Self(10_000);

    /// 0 to 1.
    pub fn fraction(self) -> f64 {
        f64::from(self.0) / 10_000.0
    }
}

/// How runs ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Runs that succeeded.
    pub succeeded: u64,
    /// Runs that failed.
    pub failed: u64,
    /// From start to end of all of them, in microseconds.
    pub duration_us: u64,
}

impl Tally {
    /// Adds a run.
    pub fn add(&mut self, ended: Ended) {
        self.succeeded += u64::from(!ended.failed);
        self.failed += u64::from(ended.failed);
        self.duration_us += ended.duration_us;
    }

    fn remove(&mut self, other: Self) {
        self.succeeded -= other.succeeded;
        self.failed -= other.failed;
        self.duration_us -= other.duration_us;
    }

    /// How many runs.
    pub fn runs(self) -> u64 {
        self.succeeded + self.failed
    }

    /// The part that failed, 0 to 1; `None` without runs.
    pub fn error_rate(self) -> Option<f64> {
        ratio(self.failed, self.runs())
    }

    /// The part that succeeded, 0 to 1; `None` without runs.
    pub fn success_rate(self) -> Option<f64> {
        ratio(self.succeeded, self.runs())
    }

    /// The average duration in seconds; `None` without runs.
    pub fn average_duration(self) -> Option<f64> {
        ratio(self.duration_us, self.runs()).map(|micros| micros / 1e6)
    }

    /// One of these; `None` without runs.
    pub fn measure(self, measure: Measure) -> Option<f64> {
        match measure {
            Measure::ErrorRate => self.error_rate(),
            Measure::SuccessRate => self.success_rate(),
            Measure::FailedRuns => u32::try_from(self.failed).ok().map(f64::from),
            Measure::AverageDuration => self.average_duration(),
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a figure for people and thresholds")]
fn ratio(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

/// How one run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// When.
    pub at: Timestamp,
    /// Whether it failed; otherwise it succeeded.
    pub failed: bool,
    /// From its start to its end, in microseconds.
    pub duration_us: u64,
}

impl Ended {
    /// The end of a run; one that never started took no time.
    pub fn of(failed: bool, started_at: Option<Timestamp>, at: Timestamp) -> Self {
        let duration = at.since(started_at.unwrap_or(at)).as_micros();
        Self { at, failed, duration_us: u64::try_from(duration).unwrap_or(u64::MAX) }
    }
}

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// The part of the runs that failed, 0 to 1.
    ErrorRate,
    /// The part of the runs that succeeded, 0 to 1.
    SuccessRate,
    /// How many runs failed.
    FailedRuns,
    /// Seconds.
    AverageDuration,
}

impl Measure {
    /// Its name, as in the file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ErrorRate => "error_rate",
            Self::SuccessRate => "success_rate",
            Self::FailedRuns => "failed_runs",
            Self::AverageDuration => "average_duration",
        }
    }

    /// Whether its threshold is the least that is healthy; otherwise it is the most.
    pub fn is_floor(self) -> bool {
        match self {
            Self::SuccessRate => true,
            Self::ErrorRate | Self::FailedRuns | Self::AverageDuration => false,
        }
    }

    /// A value of it, for people.
    pub fn show(self, value: f64) -> String {
        match self {
            Self::ErrorRate | Self::SuccessRate => {
                let percent = format!("{:.2}", value * 100.0);
                format!("{}%", percent.trim_end_matches('0').trim_end_matches('.'))
            }
            Self::FailedRuns => format!("{value:.0}"),
            Self::AverageDuration if value < 1.0 => format!("{:.0} ms", value * 1_000.0),
            Self::AverageDuration => format!("{value:.1} s"),
        }
    }
}

/// A threshold that is not kept.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Breach {
    /// What was measured.
    pub measure: Measure,
    /// What it is.
    pub value: f64,
    /// What would be healthy: at most this, for `SuccessRate` at least.
    pub limit: f64,
}

impl Breach {
    /// For facts and metrics: `{ measure, value, limit }`.
    pub fn to_value(self) -> Value {
        Value::map([
            ("measure", Value::from(self.measure.as_str())),
            ("value", Value::Float(self.value)),
            ("limit", Value::Float(self.limit)),
        ])
    }
}

impl std::fmt::Display for Breach {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { measure, value, limit } = *self;
        let (value, limit) = (measure.show(value), measure.show(limit));
        match measure {
            Measure::ErrorRate => write!(f, "{value} of the runs failed, {limit} may"),
            Measure::SuccessRate => write!(f, "{value} of the runs succeeded, {limit} should"),
            Measure::FailedRuns => write!(f, "{value} runs failed, {limit} may"),
            Measure::AverageDuration => write!(f, "the average run took {value}, {limit} is fine"),
        }
    }
}

impl Thresholds {
    /// What is asked, in the order in which it is listed here.
    pub fn limits(&self) -> Vec<(Measure, f64)> {
        let limits = [
            (Measure::ErrorRate, self.error_rate.map(Percent::fraction)),
            (Measure::SuccessRate, self.success_rate.map(Percent::fraction)),
            (Measure::FailedRuns, self.failed_runs.map(f64::from)),
            (Measure::AverageDuration, self.average_duration.map(|most| most.as_secs_f64())),
        ];
        limits.into_iter().filter_map(|(measure, limit)| Some((measure, limit?))).collect()
    }

    /// The thresholds that are not kept, in the order in which they are listed.
    pub fn judge(&self, tally: Tally) -> Vec<Breach> {
        let judge = |(measure, limit): (Measure, f64)| {
            let value = tally.measure(measure)?;
            let kept = match measure {
                Measure::FailedRuns => value <= limit,
                _ if tally.runs() < FEWEST_RUNS => true,
                Measure::ErrorRate | Measure::AverageDuration => value <= limit,
                Measure::SuccessRate => value >= limit,
            };
            (!kept).then_some(Breach { measure, value, limit })
        };
        self.limits().into_iter().filter_map(judge).collect()
    }

    /// A workspace that was unhealthy is healthy when it was so for this long without a break: a
    /// tenth of the window, so that nobody is told of every run.
    pub fn hold(&self) -> Duration {
        self.window / 10
    }
}

/// The runs that ended in the last so long, in parts of a sixtieth: noting one and asking for the
/// sum cost the same whatever their number.
#[derive(Debug, Clone)]
pub struct Window {
    part_us: i64,
    /// The number of the newest part: its beginning divided by its length.
    newest: i64,
    parts: Vec<Tally>,
    sum: Tally,
}

impl Window {
    /// An empty one.
    pub fn new(length: Duration, now: Timestamp) -> Self {
        let micros = i64::try_from(length.as_micros()).unwrap_or(i64::MAX);
        let part_us = (micros / PARTS).max(1);
        let parts = vec![Tally::default(); usize::try_from(PARTS).unwrap_or_default()];
        Self { part_us, newest: now.0.div_euclid(part_us), parts, sum: Tally::default() }
    }

    /// Counts a run. One that ended longer ago than the window is long does not count.
    pub fn note(&mut self, ended: Ended) {
        let part = ended.at.0.div_euclid(self.part_us);
        self.advance(part);
        if part > self.newest - PARTS {
            let place = Self::place(part);
            self.parts[place].add(ended);
            self.sum.add(ended);
        }
    }

    /// The runs that count now. When the clock was set back by more than the window, the runs that
    /// ended before that are forgotten: nothing says how long ago it was.
    pub fn sum(&mut self, now: Timestamp) -> Tally {
        let part = now.0.div_euclid(self.part_us);
        if part <= self.newest - PARTS {
            self.parts.fill(Tally::default());
            self.sum = Tally::default();
            self.newest = part;
        }
        self.advance(part);
        self.sum
    }

    /// When runs that count now will not count any more; `None` when there are none.
    pub fn next_change(&self) -> Option<Timestamp> {
        let oldest = (self.newest - PARTS + 1..=self.newest)
            .find(|part| self.parts[Self::place(*part)].runs() > 0)?;
        Some(Timestamp((oldest + PARTS).saturating_mul(self.part_us)))
    }

    fn advance(&mut self, to: i64) {
        let from = self.newest;
        if to <= from {
            return;
        }
        for part in from.max(to - PARTS) + 1..=to {
            let left = std::mem::take(&mut self.parts[Self::place(part)]);
            self.sum.remove(left);
        }
        self.newest = to;
    }

    fn place(part: i64) -> usize {
        usize::try_from(part.rem_euclid(PARTS)).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_hours(1);

    fn thresholds() -> Thresholds {
        Thresholds {
            error_rate: None,
            success_rate: None,
            failed_runs: None,
            average_duration: None,
            window: HOUR,
        }
    }

    fn tally(succeeded: u64, failed: u64) -> Tally {
        Tally { succeeded, failed, duration_us: (succeeded + failed) * 2_000_000 }
    }

    fn measures(thresholds: &Thresholds, tally: Tally) -> Vec<Measure> {
        thresholds.judge(tally).into_iter().map(|breach| breach.measure).collect()
    }

    fn minutes(minutes: i64) -> Timestamp {
        Timestamp(minutes * 60_000_000)
    }

    fn ended(at: Timestamp, failed: bool) -> Ended {
        Ended { at, failed, duration_us: 1_000_000 }
    }

    #[test]
    fn what_a_threshold_says_is_still_healthy() {
        let all = Thresholds {
            error_rate: Some(Percent(1_000)),
            success_rate: Some(Percent(9_000)),
            failed_runs: Some(2),
            average_duration: Some(Duration::from_secs(2)),
            ..thresholds()
        };
        assert_eq!(measures(&all, tally(18, 2)), []);
        let worse = [Measure::ErrorRate, Measure::SuccessRate, Measure::FailedRuns];
        assert_eq!(measures(&all, tally(17, 3)), worse);
        let slow = Tally { duration_us: 41_000_000, ..tally(20, 0) };
        assert_eq!(measures(&all, slow), [Measure::AverageDuration]);
    }

    #[test]
    fn rates_of_few_runs_are_not_judged_but_failures_are_counted() {
        let some = Thresholds { error_rate: Some(Percent(0)), ..thresholds() };
        assert_eq!(measures(&some, tally(0, 9)), []);
        assert_eq!(measures(&some, tally(9, 1)), [Measure::ErrorRate]);
        let none = Thresholds { failed_runs: Some(0), ..thresholds() };
        assert_eq!(measures(&none, tally(0, 1)), [Measure::FailedRuns]);
        assert_eq!(measures(&thresholds(), tally(0, 99)), [], "what is not asked is not judged");
    }

    #[test]
    fn runs_leave_the_window_when_they_are_older_than_it() {
        let mut window = Window::new(HOUR, minutes(0));
        assert_eq!(window.next_change(), None);
        window.note(ended(minutes(0), true));
        window.note(ended(minutes(30), false));
        assert_eq!(window.sum(minutes(59)), Tally { duration_us: 2_000_000, ..tally(1, 1) });
        assert_eq!(window.next_change(), Some(minutes(60)));
        assert_eq!(window.sum(minutes(60)).failed, 0);
        assert_eq!(window.next_change(), Some(minutes(90)));
        assert_eq!(window.sum(minutes(90)), Tally::default());
        assert_eq!(window.next_change(), None);
    }

    #[test]
    fn a_run_that_ended_late_or_long_ago_counts_in_its_own_time() {
        let mut window = Window::new(HOUR, minutes(100));
        window.note(ended(minutes(50), true));
        window.note(ended(minutes(40), true));
        assert_eq!(window.sum(minutes(100)).failed, 1, "the other is over an hour old");
        assert_eq!(window.sum(minutes(110)).failed, 0);
    }

    #[test]
    fn a_clock_that_jumps_neither_loses_nor_doubles_the_sum() {
        let mut window = Window::new(HOUR, minutes(100));
        window.note(ended(minutes(100), true));
        assert_eq!(window.sum(minutes(90)).failed, 1, "back");
        window.note(ended(minutes(90), true));
        assert_eq!(window.sum(minutes(90)).failed, 2);
        assert_eq!(window.sum(minutes(100_000)), Tally::default(), "far ahead");
        window.note(ended(minutes(100_000), false));
        assert_eq!(window.sum(minutes(100_000)).runs(), 1);
        assert_eq!(window.sum(minutes(100)), Tally::default(), "back again");
        window.note(ended(minutes(100), false));
        assert_eq!(window.sum(minutes(100)).runs(), 1);
    }

    #[test]
    fn the_sum_is_that_of_the_runs_whatever_their_order() {
        let mut window = Window::new(HOUR, minutes(0));
        let mut all = Vec::new();
        let mut seed = 7_i64;
        for _ in 0..2_000 {
            seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
            let now = minutes(i64::try_from(all.len()).unwrap() / 5);
            let run = ended(minutes(now.0 / 60_000_000 - seed % 70), seed % 3 == 0);
            all.push(run);
            window.note(run);
            let count = |failed| {
                let newest = all.iter().map(|run| run.at).max().unwrap().max(now);
                let counts = |run: &&Ended| run.at.0 > newest.0 - 3_600_000_000;
                all.iter().filter(counts).filter(|run| run.failed == failed).count() as u64
            };
            let sum = window.sum(now);
            assert_eq!((sum.succeeded, sum.failed), (count(false), count(true)));
        }
    }
}

//! When a runner was well, by its wall clock: which slots it owes.

use std::collections::BTreeSet;
use std::time::Duration;

use signalbox_core::clock::Timestamp;

use crate::catalogue::{Missed, Moments, Slots};

/// After a disturbance a runner may need this long to catch up.
const RECOVERY: Duration = Duration::from_secs(8);
/// A slot that is late by at most so many seconds fires: see `signalbox_core::schedule::owed`.
const LATE: i64 = 60;
/// A runner that was well for this long while a slot could fire has fired it.
const ENOUGH: Duration = Duration::from_secs(15);
/// Microseconds.
const SECOND: i64 = 1_000_000;

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

    /// The slots of a schedule that must have fired.
    pub(crate) fn owed(&self, slots: &Slots, pauses: &[&Pause]) -> BTreeSet<Timestamp> {
        let enough = ENOUGH.as_secs().cast_signed() + slots.jitter;
        let spans = self.spans.iter().flat_map(|span| without(*span, pauses));
        let owed = spans.flat_map(|(from, to)| {
            // What came before the end of a pause is settled.
            let over = pauses.iter().map(|pause| pause.touches().1).filter(|end| *end <= from);
            let settled = over.max().map_or(i64::MIN, |end| end.0.div_euclid(SECOND));
            let (from, to) = (from.0.div_euclid(SECOND) + 1, to.0.div_euclid(SECOND));
            let late = |slot: i64| slot + LATE + slots.jitter;
            let fresh = move |slot: &i64| late(*slot).min(to) - from.max(*slot) >= enough;
            let back = to - from >= enough;
            let caught_up: Vec<_> = match slots.missed {
                Missed::None => Vec::new(),
                Missed::Latest { window } => {
                    let latest = slots.moments.between(from - window + LATE, from).next_back();
                    latest.into_iter().collect()
                }
                // The cap is counted from those that are not just late.
                Missed::All { window, cap } => {
                    let all = slots.moments.between(from - window + LATE, from);
                    let most = usize::try_from(cap - 1).unwrap_or(0);
                    all.rev().take(most).collect()
                }
            };
            let caught_up = caught_up.into_iter().filter(move |_| back);
            let seen = slots.moments.between(from - LATE, to).filter(fresh);
            seen.chain(caught_up).filter(|slot| *slot > settled).collect::<Vec<_>>()
        });
        owed.map(|slot| Timestamp(slot * SECOND)).collect()
    }
}

/// What is left of a span without pauses.
fn without(span: (Timestamp, Timestamp), pauses: &[&Pause]) -> Vec<(Timestamp, Timestamp)> {
    let mut left = vec![span];
    for pause in pauses {
        let (first, last) = pause.touches();
        let cut =
            |(from, to): (Timestamp, Timestamp)| [(from, to.min(first)), (from.max(last), to)];
        left = left.into_iter().flat_map(cut).filter(|(from, to)| from < to).collect();
    }
    left
}

/// Somebody paused schedules: those of a flow, or of a workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pause {
    pub(crate) workspace: &'static str,
    /// One flow of it; all when not given.
    pub(crate) flow: Option<&'static str>,
    /// When it was asked for.
    pub(crate) from: Timestamp,
    /// When it was over, certainly.
    pub(crate) to: Option<Timestamp>,
}

impl Pause {
    /// Whether it is one of a flow's schedule.
    pub(crate) fn is_of(&self, workspace: &str, flow: &str) -> bool {
        self.workspace == workspace && self.flow.is_none_or(|name| name == flow)
    }

    /// The moments that it touches, whichever way the clock was set meanwhile; with the time that a
    /// runner needs afterwards.
    fn touches(&self) -> (Timestamp, Timestamp) {
        let to = self.to.unwrap_or(Timestamp(i64::MAX / 2)).plus(RECOVERY);
        (self.from.min(to), self.from.max(to))
    }
}

impl Moments {
    /// Those in `(after, upto]`, in seconds, in order.
    pub(crate) fn between(self, after: i64, upto: i64) -> impl DoubleEndedIterator<Item = i64> {
        let (first, last, step) = match self {
            Self::Every(step) => (after.div_euclid(step) + 1, upto.div_euclid(step), step),
            Self::Once(at) => (i64::from(at <= after) + 1, i64::from(at <= upto), at),
        };
        (first..=last).map(move |number| number * step)
    }
}

#[cfg(test)]
mod tests {
    use signalbox_core::schedule::Overlap;

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp(seconds * 1_000_000)
    }

    fn owed(timeline: &Timeline, slots: Slots, pauses: &[&Pause]) -> Vec<i64> {
        timeline.owed(&slots, pauses).into_iter().map(|slot| slot.0 / SECOND).collect()
    }

    fn every(step: i64, missed: Missed) -> Slots {
        Slots { moments: Moments::Every(step), jitter: 0, missed, overlap: Overlap::Skip }
    }

    #[test]
    fn a_slot_is_owed_when_the_runner_was_well_for_long_enough_while_it_could_fire() {
        let slots = every(20, Missed::None);
        let mut timeline = Timeline::default();
        timeline.begin(at(1_000));
        timeline.end(at(1_100));
        assert_eq!(owed(&timeline, slots, &[]), [980, 1_000, 1_020, 1_040, 1_060, 1_080]);
        let mut down = Timeline::default();
        down.begin(at(1_000));
        down.end(at(1_010));
        assert_eq!(owed(&down, slots, &[]), [0; 0]);
    }

    #[test]
    fn what_the_clock_has_shown_before_is_owed_once() {
        let mut timeline = Timeline::default();
        timeline.begin(at(1_000));
        timeline.jump(at(1_060), at(1_000));
        timeline.end(at(1_055));
        assert_eq!(owed(&timeline, every(20, Missed::None), &[]), [980, 1_000, 1_020, 1_040]);
    }

    #[test]
    fn what_was_missed_is_owed_as_the_schedule_says() {
        let mut timeline = Timeline::default();
        timeline.begin(at(10_000));
        timeline.end(at(10_100));
        let of = |missed| owed(&timeline, every(600, missed), &[]);
        assert_eq!(of(Missed::None), [0; 0]);
        assert_eq!(of(Missed::Latest { window: 3_600 }), [9_600]);
        assert_eq!(of(Missed::All { window: 3_600, cap: 8 }).len(), 6);
        assert_eq!(of(Missed::All { window: 3_600, cap: 3 }), [9_000, 9_600]);
    }

    #[test]
    fn a_pause_owes_nothing_from_before_its_end() {
        let pause =
            |from, to| Pause { workspace: "shop", flow: None, from: at(from), to: Some(at(to)) };
        let mut timeline = Timeline::default();
        timeline.begin(at(1_000));
        timeline.end(at(1_200));
        let slots = every(20, Missed::Latest { window: 3_600 });
        assert_eq!(
            owed(&timeline, slots, &[&pause(1_050, 1_115)]),
            [980, 1_000, 1_020, 1_140, 1_160, 1_180]
        );
        let open = Pause { to: None, ..pause(1_050, 0) };
        assert_eq!(owed(&timeline, slots, &[&open]), [980, 1_000, 1_020]);
    }
}

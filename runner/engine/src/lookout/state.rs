//! What is known in memory of alarms and of what they follow from.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use signalbox_core::alarm::{Raised, Subject, Why};
use signalbox_core::clock::Timestamp;
use signalbox_core::health::{Ended, Tally, Thresholds};
use signalbox_core::ids::FlowRef;
use signalbox_core::{FlowName, WorkspaceName};
use signalbox_store::contract::{Expected, Lately, Watch};
use tokio::sync::Notify;

use super::gauge::{Gauge, Verdict};
use crate::live::Live;

/// What is known of alarms.
#[derive(Debug, Default)]
pub(crate) struct Lookout {
    state: Mutex<State>,
    woken: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// What it follows; `None` when that must be read again.
    of: Option<Arc<Live>>,
    /// Grows with every doubt: what was read before one is not believed.
    doubts: u64,
    gauges: BTreeMap<WorkspaceName, Gauge>,
    /// Ends that were noted while windows are being read again.
    noted: Option<Vec<(WorkspaceName, Ended)>>,
    expected: HashMap<FlowRef, Expected>,
    raised: BTreeMap<Subject, Raised>,
}

/// What must be read before the state follows what is live.
#[derive(Debug)]
pub(crate) struct Wanted {
    pub(crate) live: Arc<Live>,
    /// Workspaces whose runs must be counted again.
    pub(crate) windows: Vec<(WorkspaceName, Thresholds)>,
    doubts: u64,
}

/// What is to be done about alarms now.
#[derive(Debug, Default)]
pub(crate) struct Due {
    pub(crate) raise: Vec<(Subject, Why)>,
    pub(crate) clear: Vec<Raised>,
    /// When something may change by itself.
    pub(crate) next: Option<Timestamp>,
}

impl Lookout {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Resolves when somebody should look.
    pub(crate) async fn woken(&self) {
        self.woken.notified().await;
    }

    /// What is live changed.
    pub(crate) fn swapped(&self) {
        self.woken.notify_one();
    }

    /// A run ended in a way, or at a moment, that is not known here: what is known is read again.
    pub(crate) fn doubt(&self) {
        let mut state = self.state();
        if !state.gauges.is_empty() || !state.expected.is_empty() {
            state.of = None;
            state.doubts += 1;
            self.woken.notify_one();
        }
    }

    /// A run succeeded or failed for good, durably. One that handles something says nothing of the
    /// health of its workspace.
    pub(crate) fn note(
        &self,
        (workspace, flow): (&WorkspaceName, &FlowName),
        (ended, handles): (Ended, bool),
        now: Timestamp,
    ) {
        let mut state = self.state();
        let State { gauges, noted, expected, raised, .. } = &mut *state;
        let mut look = false;
        if let Some(gauge) = gauges.get_mut(workspace).filter(|_| !handles) {
            let is_raised = raised.contains_key(&Subject::health(workspace.clone()));
            look |= gauge.note(ended, is_raised, now);
            if let Some(noted) = noted {
                noted.push((workspace.clone(), ended));
            }
        }
        if !ended.failed && !expected.is_empty() {
            let flow = FlowRef { workspace: workspace.clone(), flow: flow.clone() };
            if let Some(expected) = expected.get_mut(&flow) {
                expected.since = expected.since.max(ended.at);
                look |= raised.contains_key(&Subject::absence(flow.workspace, flow.flow));
            }
        }
        drop(state);
        if look {
            self.woken.notify_one();
        }
    }

    /// Whether something must be read to follow what is live; ends are noted from here on.
    pub(crate) fn wanted(&self, live: Arc<Live>) -> Option<Wanted> {
        let mut state = self.state();
        if state.of.as_ref().is_some_and(|of| Arc::ptr_eq(of, &live)) {
            return None;
        }
        let known = state.of.is_some();
        let health = |spec: &Arc<signalbox_core::catalog::Workspace>| {
            Some((spec.name.clone(), spec.health.as_ref()?.thresholds.clone()))
        };
        let windows = live.catalog.workspaces.values().filter_map(health).filter(|(name, new)| {
            !known || state.gauges.get(name).is_none_or(|old| old.thresholds.window != new.window)
        });
        let windows = windows.collect();
        state.noted = Some(Vec::new());
        Some(Wanted { live, windows, doubts: state.doubts })
    }

    /// Takes on what was read.
    pub(crate) fn adopt(&self, wanted: Wanted, watch: Watch, lately: Vec<Lately>, now: Timestamp) {
        let Wanted { live, windows, doubts } = wanted;
        let mut state = self.state();
        let noted = state.noted.take().unwrap_or_default();
        for ((name, thresholds), Lately { ended, .. }) in windows.into_iter().zip(lately) {
            let mut gauge = Gauge::new(thresholds, now);
            // What ended meanwhile may or may not be in what was read.
            let late = noted.iter().filter(|(of, run)| *of == name && !ended.contains(run));
            for run in ended.iter().chain(late.map(|(_, run)| run)) {
                gauge.fill(*run);
            }
            state.gauges.insert(name, gauge);
        }
        let specs = &live.catalog.workspaces;
        state.gauges.retain(|name, gauge| {
            let health = specs.get(name).and_then(|spec| spec.health.as_ref());
            health.inspect(|health| gauge.thresholds = health.thresholds.clone()).is_some()
        });
        let before = std::mem::take(&mut state.expected);
        for mut new in watch.expected {
            if let Some(known) = before.get(&new.flow).filter(|known| known.after == new.after) {
                new.since = new.since.max(known.since);
            }
            state.expected.insert(new.flow.clone(), new);
        }
        let raised = watch.raised.into_iter().map(|raised| (raised.subject.clone(), raised));
        state.raised = raised.collect();
        if state.doubts == doubts {
            state.of = Some(live);
        } else {
            self.woken.notify_one();
        }
    }

    /// What is to be done now.
    pub(crate) fn due(&self, now: Timestamp) -> Due {
        let mut state = self.state();
        let State { gauges, expected, raised, .. } = &mut *state;
        let mut due = Due::default();
        for (name, gauge) in gauges {
            let subject = Subject::health(name.clone());
            let alarm = raised.get(&subject);
            match gauge.judge(alarm.is_some(), now) {
                Verdict::Same(next) => due.at(next),
                Verdict::Raise(breaches) => {
                    let window = gauge.thresholds.window;
                    due.raise.push((subject, Why::Unhealthy { breaches, window }));
                }
                Verdict::Clear => due.clear.extend(alarm.cloned()),
            }
        }
        for Expected { flow, since, after } in expected.values() {
            let subject = Subject::absence(flow.workspace.clone(), flow.flow.clone());
            match raised.get(&subject) {
                // The clock does not clear it, whatever it shows: a success does.
                Some(alarm) if !is_over(alarm, *since) => {}
                Some(alarm) => due.clear.push(alarm.clone()),
                None if since.plus(*after) <= now => {
                    let why = Why::Absent { after: *after, counted_from: *since };
                    due.raise.push((subject, why));
                }
                None => due.at(Some(since.plus(*after))),
            }
        }
        due
    }

    /// An alarm is raised.
    pub(crate) fn raised(&self, alarm: Raised) {
        self.state().raised.insert(alarm.subject.clone(), alarm);
    }

    /// An alarm is over.
    pub(crate) fn cleared(&self, subject: &Subject) {
        self.state().raised.remove(subject);
    }

    /// What is measured of every workspace that says what is healthy.
    pub(crate) fn measured(&self, now: Timestamp) -> BTreeMap<WorkspaceName, (Thresholds, Tally)> {
        let mut state = self.state();
        let one = |(name, gauge): (&WorkspaceName, &mut Gauge)| {
            (name.clone(), (gauge.thresholds.clone(), gauge.tally(now)))
        };
        state.gauges.iter_mut().map(one).collect()
    }

    /// The alarms that are raised, by workspace and flow.
    pub(crate) fn alarms(&self) -> Vec<Raised> {
        self.state().raised.values().cloned().collect()
    }
}

impl Due {
    fn at(&mut self, next: Option<Timestamp>) {
        self.next = [self.next, next].into_iter().flatten().min();
    }
}

fn is_over(alarm: &Raised, last: Timestamp) -> bool {
    match alarm.why {
        Why::Absent { counted_from, .. } => last > counted_from,
        Why::Unhealthy { .. } => true,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const HOUR: i64 = 3_600_000_000;

    fn hours(hours: i64) -> Timestamp {
        Timestamp(hours * HOUR)
    }

    fn flow() -> FlowRef {
        "shop/nightly".parse().unwrap()
    }

    /// One flow that may go without a success for 26 hours, from hour 0 on.
    fn lookout() -> Lookout {
        let lookout = Lookout::default();
        let after = Duration::from_hours(26);
        let expected = Expected { flow: flow(), since: hours(0), after };
        lookout.state().expected.insert(flow(), expected);
        lookout
    }

    /// Raises what is due, as the service does, and answers how many alarms that were.
    fn raise(lookout: &Lookout, now: Timestamp) -> usize {
        let due = lookout.due(now).raise;
        let number = due.len();
        for (subject, why) in due {
            lookout.raised(Raised { subject, since: now, why, told: Vec::new() });
        }
        number
    }

    fn succeed(lookout: &Lookout, at: Timestamp) {
        let FlowRef { workspace, flow } = flow();
        let ended = Ended { at, failed: false, duration_us: 1 };
        lookout.note((&workspace, &flow), (ended, false), at);
    }

    #[test]
    fn the_clock_neither_doubles_nor_ends_an_absence() {
        let lookout = lookout();
        assert_eq!(lookout.due(hours(25)).next, Some(hours(26)));
        assert_eq!(raise(&lookout, hours(24 * 400)), 1, "the clock jumps ahead");
        for now in [24 * 400, 1, 30, 24 * 800] {
            let due = lookout.due(hours(now));
            assert!(due.raise.is_empty() && due.clear.is_empty(), "at hour {now}: {due:?}");
        }
        succeed(&lookout, hours(2));
        assert_eq!(lookout.due(hours(2)).clear.len(), 1);
    }

    #[test]
    fn a_run_that_handles_something_says_nothing_of_health() {
        let lookout = lookout();
        let thresholds = Thresholds {
            error_rate: None,
            success_rate: None,
            failed_runs: Some(0),
            average_duration: None,
            window: Duration::from_hours(1),
        };
        let FlowRef { workspace, flow } = flow();
        let gauge = Gauge::new(thresholds, hours(1));
        lookout.state().gauges.insert(workspace.clone(), gauge);
        for (handles, raised) in [(true, 0), (false, 1)] {
            let ended = Ended { at: hours(1), failed: true, duration_us: 1 };
            lookout.note((&workspace, &flow), (ended, handles), hours(1));
            assert_eq!(lookout.due(hours(1)).raise.len(), raised, "handles: {handles}");
        }
    }

    #[test]
    fn a_success_clears_the_alarm_and_begins_anew() {
        let lookout = lookout();
        succeed(&lookout, hours(20));
        assert_eq!(lookout.due(hours(45)).next, Some(hours(46)));
        assert_eq!(raise(&lookout, hours(46)), 1);
        succeed(&lookout, hours(50));
        let over = lookout.due(hours(50)).clear;
        lookout.cleared(&over[0].subject);
        assert_eq!(lookout.due(hours(50)).next, Some(hours(76)));
        assert_eq!((raise(&lookout, hours(75)), raise(&lookout, hours(76))), (0, 1));
    }
}

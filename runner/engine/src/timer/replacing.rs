//! Slots whose schedule says `overlap: cancel_running`, while the run of an earlier one has not ended.
//!
//! Several slots of a schedule may come before that run has ended. They fire in their order: a slot
//! that fired before an earlier one would have it passed over.

use std::collections::{BTreeMap, VecDeque};

use signalbox_store::contract::{Accept, ScheduleKey};

/// The slots that wait for the end of an earlier run, by their schedule, in order.
#[derive(Debug, Default)]
pub(crate) struct Replacing(BTreeMap<ScheduleKey, VecDeque<Accept>>);

impl Replacing {
    /// Puts slots behind those of their schedule that wait. Answers the others.
    pub(crate) fn behind(&mut self, batch: Vec<Accept>) -> Vec<Accept> {
        let mut others = Vec::new();
        for accept in batch {
            let waiting = accept.slot.as_ref().and_then(|slot| self.0.get_mut(&slot.schedule));
            match waiting {
                Some(waiting) => waiting.push_back(accept),
                None => others.push(accept),
            }
        }
        others
    }

    /// A slot found an earlier run. Answers its schedule when it is the first one that waits.
    pub(crate) fn begin(&mut self, accept: Accept) -> Option<ScheduleKey> {
        let key = accept.slot.as_ref()?.schedule.clone();
        let waiting = self.0.entry(key.clone()).or_default();
        waiting.push_back(accept);
        (waiting.len() == 1).then_some(key)
    }

    /// The slot of a schedule that waits and goes first.
    pub(crate) fn first(&self, key: &ScheduleKey) -> Option<Accept> {
        self.0.get(key)?.front().cloned()
    }

    /// The first one has fired. Answers whether another one waits.
    pub(crate) fn fired(&mut self, key: &ScheduleKey) -> bool {
        let Some(waiting) = self.0.get_mut(key) else { return false };
        waiting.pop_front();
        let more = !waiting.is_empty();
        if !more {
            self.0.remove(key);
        }
        more
    }
}

#[cfg(test)]
mod tests {
    use signalbox_core::clock::Timestamp;
    use signalbox_core::run::{NewRun, Trigger};
    use signalbox_core::schedule::Overlap;
    use signalbox_core::turn::Turn;
    use signalbox_core::{DeploymentId, RunId};
    use signalbox_store::contract::Slot;

    use super::*;

    fn slot(flow: &str, second: i64) -> Accept {
        let at = Timestamp(second * 1_000_000);
        let (workspace, flow): (signalbox_core::WorkspaceName, signalbox_core::FlowName) =
            ("shop".parse().unwrap(), flow.parse().unwrap());
        let key = ScheduleKey {
            workspace: workspace.clone(),
            flow: flow.clone(),
            schedule: "often".to_owned(),
        };
        let run = NewRun {
            id: RunId::from_parts(at.millis(), [0; 10]),
            workspace,
            flow,
            deployment: DeploymentId(1),
            trigger: Trigger::Api,
            inputs: Vec::new(),
            chain: Vec::new(),
            queued_at: at,
            deadline: None,
            turn: Turn::default(),
        };
        let slot = Slot { schedule: key, at, overlap: Overlap::CancelRunning };
        Accept { run, slot: Some(slot), idempotency: None, queue_bound: 1 }
    }

    fn seconds(all: &[Accept]) -> Vec<i64> {
        all.iter().map(|one| one.run.queued_at.0 / 1_000_000).collect()
    }

    #[test]
    fn slots_that_replace_a_run_fire_in_their_order() {
        let mut line = Replacing::default();
        assert_eq!(seconds(&line.behind(vec![slot("a", 1), slot("a", 2)])), [1, 2]);
        let key = line.begin(slot("a", 1)).expect("it is the first");
        assert_eq!(line.begin(slot("a", 2)), None, "it waits behind the first");
        assert_eq!(seconds(&line.behind(vec![slot("a", 3), slot("b", 3)])), [3], "only of `b`");
        let mut fired = Vec::new();
        loop {
            fired.extend(line.first(&key));
            if !line.fired(&key) {
                break;
            }
        }
        assert_eq!(seconds(&fired), [1, 2, 3]);
        assert_eq!(seconds(&line.behind(vec![slot("a", 4)])), [4], "nobody waits any more");
    }
}

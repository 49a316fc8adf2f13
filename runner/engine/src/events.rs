//! What happens, as it happens, for whoever listens.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use signalbox_core::clock::Timestamp;
use signalbox_core::run::{Reason, State};
use signalbox_core::{FlowName, RunId, WorkspaceName};
use tokio::sync::broadcast;

/// How many events are kept for clients that come back.
const KEPT: usize = 4096;

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Its number. Grows by one, over restarts of the runner too as long as clocks go forward: it
    /// begins at the microseconds of the runner's start.
    pub id: u64,
    /// When.
    pub at: Timestamp,
    /// The workspace.
    pub workspace: WorkspaceName,
    /// What.
    pub kind: EventKind,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventKind {
    /// A run came into a state.
    Run {
        /// The run.
        run: RunId,
        /// Its flow.
        flow: FlowName,
        /// The state.
        state: State,
    },
    /// A run is suspended.
    Suspended {
        /// The run.
        run: RunId,
        /// Its flow.
        flow: FlowName,
        /// What it waits for.
        reason: Reason,
        /// When the first of its waits ends by itself.
        until: Option<Timestamp>,
    },
    /// A run wrote log lines: they can be read from the store.
    Log {
        /// The run.
        run: RunId,
    },
    /// The broker decided.
    Call {
        /// The calling run.
        run: RunId,
        /// Whether it was allowed.
        allowed: bool,
    },
    /// An alarm of the workspace, or of one of its flows, is raised or is over.
    Alarm {
        /// The flow that is absent; `None` for the workspace's health.
        flow: Option<FlowName>,
        /// Whether it is raised; otherwise it is over.
        raised: bool,
    },
    /// A sync of the workspace ended with a new outcome: its name.
    Deployment {
        /// The outcome's name.
        outcome: &'static str,
    },
    /// Schedules were paused, or go on.
    Pause {
        /// The one schedule, as its flow and its identity in it; all of the workspace when not
        /// given.
        schedule: Option<(FlowName, String)>,
        /// Whether they are paused now.
        paused: bool,
    },
}

impl EventKind {
    /// The topic: `run`, `log`, `call`, `alarm`, `deployment` or `schedule`.
    pub fn topic(&self) -> &'static str {
        match self {
            Self::Run { .. } | Self::Suspended { .. } => "run",
            Self::Log { .. } => "log",
            Self::Call { .. } => "call",
            Self::Alarm { .. } => "alarm",
            Self::Deployment { .. } => "deployment",
            Self::Pause { .. } => "schedule",
        }
    }

    /// The run that it is about.
    pub fn run(&self) -> Option<&RunId> {
        match self {
            Self::Run { run, .. }
            | Self::Suspended { run, .. }
            | Self::Log { run }
            | Self::Call { run, .. } => Some(run),
            Self::Alarm { .. } | Self::Deployment { .. } | Self::Pause { .. } => None,
        }
    }
}

/// Events that a listener gets.
#[derive(Debug)]
pub struct Subscription {
    /// Events that were kept, in order, before those of `receiver`.
    pub backlog: Vec<Arc<Event>>,
    /// Whether events after the one asked for are no longer kept: the client must read anew.
    pub gap: bool,
    /// Events from now on. A lagging receiver has a gap too.
    pub receiver: broadcast::Receiver<Arc<Event>>,
}

/// Where events go.
#[derive(Debug)]
pub(crate) struct Events {
    inner: Mutex<Inner>,
    sender: broadcast::Sender<Arc<Event>>,
}

#[derive(Debug)]
struct Inner {
    next: u64,
    kept: VecDeque<Arc<Event>>,
}

impl Events {
    pub(crate) fn starting_at(now: Timestamp) -> Self {
        let next = u64::try_from(now.0).unwrap_or(0).max(1);
        let inner = Mutex::new(Inner { next, kept: VecDeque::with_capacity(KEPT) });
        Self { inner, sender: broadcast::channel(1024).0 }
    }

    pub(crate) fn publish(&self, at: Timestamp, workspace: WorkspaceName, kind: EventKind) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let event = Arc::new(Event { id: inner.next, at, workspace, kind });
        inner.next += 1;
        if inner.kept.len() == KEPT {
            inner.kept.pop_front();
        }
        inner.kept.push_back(Arc::clone(&event));
        // Sent under the lock, so that a subscriber's backlog and receiver meet without a seam. It
        // fails only when nobody listens.
        drop(self.sender.send(event));
    }

    pub(crate) fn subscribe(&self, after: Option<u64>) -> Subscription {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let receiver = self.sender.subscribe();
        let Some(after) = after else {
            return Subscription { backlog: Vec::new(), gap: false, receiver };
        };
        let oldest = inner.kept.front().map_or(inner.next, |event| event.id);
        let backlog = inner.kept.iter().filter(|event| event.id > after).cloned().collect();
        Subscription { backlog, gap: after.saturating_add(1) < oldest, receiver }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn publish(events: &Events) {
        let kind = EventKind::Deployment { outcome: "deployed" };
        events.publish(Timestamp(1), "media".parse().unwrap(), kind);
    }

    #[tokio::test]
    async fn a_client_that_comes_back_misses_nothing_or_is_told() {
        let events = Events::starting_at(Timestamp(100));
        publish(&events);
        publish(&events);
        let seen = events.subscribe(Some(100));
        assert_eq!(seen.backlog.iter().map(|event| event.id).collect::<Vec<_>>(), [101]);
        assert!(!seen.gap);
        assert!(events.subscribe(Some(7)).gap);
        let mut from_now = events.subscribe(None);
        publish(&events);
        assert_eq!(from_now.receiver.recv().await.unwrap().id, 102);
    }
}

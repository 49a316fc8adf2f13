//! Hints that the source may have changed.
//!
//! A hint carries no content: whoever serves it compares heads itself. So any number of hints that
//! arrive while one is being served are one hint: one running, one pending, none lost.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use signalbox_core::clock::Timestamp;
use tokio::sync::Notify;

/// What made somebody look at the source, the least specific first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HintKind {
    /// The runner has started.
    Start,
    /// It was time to look.
    Poll,
    /// A file of a local repository changed.
    Watch,
    /// Somebody asked over HTTP.
    Api,
    /// Somebody asked on the command line.
    Cli,
    /// The host of the repository reported a push.
    Webhook,
    /// A workflow of the repository asked.
    Action,
}

impl HintKind {
    /// The word in a deployment's outcome.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Poll => "poll",
            Self::Watch => "watch",
            Self::Api => "api",
            Self::Cli => "cli",
            Self::Webhook => "webhook",
            Self::Action => "action",
        }
    }
}

/// One hint, or several that became one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hint {
    /// The most specific reason among those that became one.
    pub kind: HintKind,
    /// When the first of them came, by the wall clock.
    pub at: Timestamp,
    /// When the first of them came, for measuring.
    pub received: Instant,
}

/// The queue of hints of one source: it holds at most one.
#[derive(Debug, Default)]
pub struct Hints {
    pending: Mutex<Option<Hint>>,
    arrived: Notify,
}

impl Hints {
    /// An empty queue.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a hint; never waits. What is pending already becomes one with it.
    pub fn push(&self, hint: Hint) {
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        *pending = Some(pending.map_or(hint, |earlier| merge(earlier, hint)));
        drop(pending);
        self.arrived.notify_one();
    }

    /// Takes the pending hint, waiting for one. Safe to cancel: a hint is taken or stays. Looking
    /// at the source after this returns sees everything that was there when the hint was pushed.
    pub async fn next(&self) -> Hint {
        loop {
            let taken = self.pending.lock().unwrap_or_else(PoisonError::into_inner).take();
            if let Some(hint) = taken {
                return hint;
            }
            self.arrived.notified().await;
        }
    }
}

fn merge(one: Hint, other: Hint) -> Hint {
    let first = if other.received < one.received { other } else { one };
    Hint { kind: one.kind.max(other.kind), ..first }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::sync::Arc;
    use std::task::{Context, Poll, Waker};
    use std::time::Duration;

    use super::*;

    fn hint(kind: HintKind, micros: i64, start: Instant) -> Hint {
        let after = Duration::from_micros(micros.try_into().expect("not negative"));
        Hint { kind, at: Timestamp(micros), received: start + after }
    }

    fn take_now(hints: &Hints) -> Option<Hint> {
        match pin!(hints.next()).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(hint) => Some(hint),
            Poll::Pending => None,
        }
    }

    #[test]
    fn hints_that_wait_become_one_with_the_oldest_time_and_the_most_specific_kind() {
        let (hints, start) = (Hints::new(), Instant::now());
        hints.push(hint(HintKind::Poll, 10, start));
        hints.push(hint(HintKind::Webhook, 20, start));
        hints.push(hint(HintKind::Watch, 30, start));
        assert_eq!(take_now(&hints), Some(hint(HintKind::Webhook, 10, start)));
        assert_eq!(take_now(&hints), None);
    }

    #[test]
    fn a_hint_during_service_is_pending_afterwards() {
        let (hints, start) = (Hints::new(), Instant::now());
        hints.push(hint(HintKind::Poll, 1, start));
        let running = take_now(&hints);
        hints.push(hint(HintKind::Api, 2, start));
        assert_eq!(running, Some(hint(HintKind::Poll, 1, start)));
        assert_eq!(take_now(&hints), Some(hint(HintKind::Api, 2, start)));
    }

    #[test]
    fn a_cancelled_wait_loses_no_hint() {
        let (hints, start) = (Hints::new(), Instant::now());
        {
            let mut waiting = pin!(hints.next());
            let mut context = Context::from_waker(Waker::noop());
            assert!(waiting.as_mut().poll(&mut context).is_pending());
            hints.push(hint(HintKind::Cli, 5, start));
        }
        assert_eq!(take_now(&hints), Some(hint(HintKind::Cli, 5, start)));
    }

    #[test]
    fn a_flood_from_many_threads_is_served_at_least_once_after_its_last_hint() {
        let (hints, start) = (Arc::new(Hints::new()), Instant::now());
        std::thread::scope(|scope| {
            for thread in 0..8 {
                let hints = Arc::clone(&hints);
                scope.spawn(move || {
                    (0..1_000)
                        .for_each(|n| hints.push(hint(HintKind::Poll, thread * 1_000 + n, start)));
                });
            }
        });
        assert_eq!(take_now(&hints).map(|hint| hint.at), Some(Timestamp(0)));
        assert_eq!(take_now(&hints), None);
    }
}

//! What the parts of the engine share.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use signalbox_core::clock::Clock;
use signalbox_core::isolation::Level;
use signalbox_core::{RunId, WorkspaceName};
use signalbox_store::Store;
use tokio::sync::{Notify, mpsc, oneshot};

use crate::broker::Broker;
use crate::desk::{Desk, Memory};
use crate::doors::{Alarm, Doors};
use crate::egress::Egress;
use crate::events::Events;
use crate::link::{Link, Message};
use crate::live::Live;
use crate::lookout::Lookout;
use crate::options::{Error, Options};
use crate::rates::Rates;
use crate::revisions::Revisions;
use crate::secrets::Secrets;
use crate::timer::Timer;

/// An isolation level that is not known yet.
const UNKNOWN: u8 = u8::MAX;

/// What follows the end of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Follows {
    /// Nothing: it is over.
    Nothing,
    /// The run that continues it.
    Run(RunId),
    /// Whoever says that it has ended does not know; its row does.
    Unknown,
}

/// What the parts of the engine share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) source: Arc<signalbox_sync::Source>,
    pub(crate) source_name: String,
    pub(crate) manifest: Option<PathBuf>,
    pub(crate) poll: Duration,
    pub(crate) grace: Duration,
    pub(crate) live: ArcSwap<Live>,
    pub(crate) revisions: Revisions,
    pub(crate) secrets: Secrets,
    pub(crate) egress: Egress,
    pub(crate) events: Events,
    pub(crate) broker: Broker,
    /// How often each webhook was delivered to lately.
    pub(crate) webhook_rates: Rates<(WorkspaceName, String)>,
    pub(crate) desk: Desk,
    pub(crate) doors: Doors,
    /// Notified when what is live changed.
    pub(crate) swapped: Notify,
    /// Alarms, and what they follow from.
    pub(crate) lookout: Lookout,
    /// Notified when a run has ended.
    pub(crate) worked: Notify,
    pub(crate) dispatcher: mpsc::Sender<Message>,
    timer: Mutex<Timer>,
    active: Mutex<HashMap<RunId, Link>>,
    waiters: Mutex<HashMap<RunId, Vec<oneshot::Sender<Follows>>>>,
    stop: AtomicBool,
    /// Notified when the engine begins to stop: everybody who waits, in order.
    stopped: Notify,
    isolation: AtomicU8,
}

impl Shared {
    /// Opens what an engine works with; the receiver is the dispatcher's.
    pub(crate) fn open(
        options: Options,
        doors: Doors,
        (live, memory): (Live, Memory),
    ) -> Result<(Arc<Self>, mpsc::Receiver<Message>), Error> {
        let secrets =
            Secrets::open(&options.data, Arc::clone(&options.store), Arc::clone(&options.clock))?;
        let (dispatcher, inbox) = mpsc::channel(4096);
        let shared = Self {
            revisions: Revisions::new(Arc::clone(&options.store), &live),
            live: ArcSwap::from_pointee(live),
            secrets,
            egress: Egress::new(&options.own_ports),
            events: Events::starting_at(options.clock.now()),
            broker: Broker::default(),
            webhook_rates: Rates::default(),
            desk: Desk::with(memory),
            doors,
            swapped: Notify::new(),
            lookout: Lookout::default(),
            worked: Notify::new(),
            dispatcher,
            timer: Mutex::default(),
            active: Mutex::default(),
            waiters: Mutex::default(),
            stop: AtomicBool::new(false),
            stopped: Notify::new(),
            isolation: AtomicU8::new(UNKNOWN),
            store: options.store,
            clock: options.clock,
            source: options.source,
            source_name: options.source_name,
            manifest: options.manifest,
            poll: options.poll,
            grace: options.grace,
        };
        Ok((Arc::new(shared), inbox))
    }

    pub(crate) fn stop(&self) {
        self.stop.store(true, Ordering::SeqCst);
        self.stopped.notify_waiters();
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stop.load(Ordering::SeqCst)
    }

    pub(crate) async fn stopping(&self) {
        // It is told from its creation on, so nothing is missed between the two.
        let stopped = self.stopped.notified();
        if !self.is_stopping() {
            stopped.await;
        }
    }

    /// An alarm on the engine's clock.
    pub(crate) fn alarm(&self) -> std::io::Result<Box<dyn Alarm>> {
        self.doors.alarms.alarm(Arc::clone(&self.clock))
    }

    pub(crate) fn isolation(&self) -> Option<u8> {
        Some(self.isolation.load(Ordering::Relaxed)).filter(|level| *level != UNKNOWN)
    }

    /// Whether cells are less walled in than is demanded, as far as is known.
    pub(crate) fn lacks_walls(&self, least: Option<Level>) -> bool {
        least.is_some_and(|least| self.isolation().is_none_or(|reached| reached < least.number()))
    }

    pub(crate) fn set_isolation(&self, level: u8) {
        self.isolation.store(level, Ordering::Relaxed);
    }

    /// When schedules fire. Held for moments only.
    pub(crate) fn timer(&self) -> MutexGuard<'_, Timer> {
        self.timer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    // --- runs that cells have ---

    pub(crate) fn link(&self, run: RunId, link: Link) {
        self.active.lock().unwrap_or_else(PoisonError::into_inner).insert(run, link);
    }

    pub(crate) fn unlink(&self, run: &RunId) {
        self.active.lock().unwrap_or_else(PoisonError::into_inner).remove(run);
    }

    pub(crate) fn find_link(&self, run: &RunId) -> Option<Link> {
        self.active.lock().unwrap_or_else(PoisonError::into_inner).get(run).cloned()
    }

    // --- who waits for the end of a run ---

    /// Resolves when [`Self::ended`] is said of the run.
    pub(crate) fn wait_for_end(&self, run: &RunId) -> oneshot::Receiver<Follows> {
        let (sender, receiver) = oneshot::channel();
        let mut waiters = self.waiters.lock().unwrap_or_else(PoisonError::into_inner);
        waiters.entry(run.clone()).or_default().push(sender);
        receiver
    }

    /// Says to everybody who waits that a run has ended, and what follows.
    pub(crate) fn ended(&self, run: &RunId, follows: &Follows) {
        self.worked.notify_one();
        let waiting = self.waiters.lock().unwrap_or_else(PoisonError::into_inner).remove(run);
        for waiter in waiting.into_iter().flatten() {
            // Whoever waited may have gone.
            waiter.send(follows.clone()).ok();
        }
    }

    /// Drops waiters whose other end is gone.
    pub(crate) fn forget_waiters(&self, run: &RunId) {
        let mut waiters = self.waiters.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(list) = waiters.get_mut(run) {
            list.retain(|waiter| !waiter.is_closed());
            if list.is_empty() {
                waiters.remove(run);
            }
        }
    }
}

//! The door through which the present comes into a cell.
//!
//! It is the machine's, but for a thread that was given a clock of its own: see
//! [`crate::run_in_this_thread`].

use std::cell::RefCell;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use signalbox_core::clock::{Clock, Timestamp};

thread_local! {
    /// The clock of this thread.
    static OWN: RefCell<Option<Arc<dyn Clock>>> = const { RefCell::new(None) };
}

/// Gives this thread a clock of its own.
pub(crate) fn set_own(clock: Arc<dyn Clock>) {
    OWN.set(Some(clock));
}

/// The wall-clock time.
pub(crate) fn now() -> Timestamp {
    OWN.with_borrow(|own| own.as_ref().map(|clock| clock.now())).unwrap_or_else(of_the_machine)
}

/// The time since an instant. None passes for a thread with a clock of its own, so that how fast it
/// computes decides nothing.
pub(crate) fn elapsed(since: Instant) -> Duration {
    if OWN.with_borrow(Option::is_some) { Duration::ZERO } else { since.elapsed() }
}

#[expect(clippy::disallowed_methods, reason = "the cell's one place that reads the wall clock")]
fn of_the_machine() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

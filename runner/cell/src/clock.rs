//! The door through which the present comes into a cell.

use std::time::SystemTime;

use signalbox_core::clock::Timestamp;

/// The wall-clock time.
#[expect(clippy::disallowed_methods, reason = "the cell's one place that reads the wall clock")]
pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

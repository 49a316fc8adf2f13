//! When a flow fires: cron expressions and single moments, in time zones.
//!
//! A schedule's *slots* are its nominal times. Croner's rules hold across clock changes: an
//! expression with one second, one minute and one hour is a *fixed time*: one that a change skips
//! fires at the first moment after the gap, one that a change repeats fires the first time only.
//! Any other expression follows the clock: it skips the gap and fires in both copies of a repeated
//! hour. What a calendar takes out is no slot at all.

mod calendar;
mod change;
mod identity;
mod model;
mod moment;
mod owed;
mod stored;
mod timetable;

pub use calendar::{Calendar, Day};
pub use change::{ClockChange, Effect};
pub use model::{Dynamic, Fires, Missed, MissedPolicy, Overlap, Schedule};
pub use moment::moment;
pub use owed::{Owed, owed};
pub use timetable::{Error, Timetable};

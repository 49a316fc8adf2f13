//! Fires schedules: each slot once, on time.
//!
//! The [`crate::timer::Timer`] knows what is due and nothing else; the loop gives what is due to
//! the store and tells the timer what became of it. `last_slot` moves in the transaction that
//! accepts the run, so that a slot fires once whatever dies, and a clock that is set back fires
//! nothing again. Which slots are owed is [`signalbox_core::schedule::owed`].

mod fire;
mod pauses;
mod replacing;
mod service;
mod views;

pub use pauses::Which;
pub(crate) use pauses::{pause, resume};
pub(crate) use service::run;
pub use views::{NextSlot, ScheduleView};
pub(crate) use views::{list, next_slots};

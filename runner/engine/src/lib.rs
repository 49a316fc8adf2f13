//! The engine: what turns revisions into live workspaces and accepted runs into ended ones.
//!
//! Data flows one way. The *deployer* takes revisions from `sync` and makes a [`Live`] catalog,
//! swapped whole. *Triggers* (scheduler, API, broker) accept runs into the store. The *dispatcher*
//! claims them fairly between workspaces and hands them to *cells*; a cell's *driver* performs the
//! effects its scripts ask for and records them. Everybody outside speaks to the [`Handle`].

mod alarm;
mod broker;
mod cells;
mod checker;
mod deployer;
mod dispatcher;
mod effects;
mod events;
mod handle;
mod live;
mod options;
mod recorder;
mod revisions;
mod scheduler;
mod secrets;
mod shared;
mod waits;

pub use deployer::{Outcome, SyncReport, validate};
pub use events::{Event, EventKind, Subscription};
pub use handle::{Engine, Handle, NextSlot, ScheduleView, StartRequest, Started};
pub use live::{Live, LiveInfo};
pub use options::{Error, Options, Refused};

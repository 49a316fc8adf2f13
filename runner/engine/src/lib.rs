//! The engine: what turns revisions into live workspaces and accepted runs into ended ones.
//!
//! Data flows one way. The *deployer* takes revisions from `sync` and makes a [`Live`] catalog,
//! swapped whole. *Triggers* (scheduler, API, broker) accept runs into the store. The *dispatcher*
//! claims them fairly between workspaces and hands them to *cells*; a cell's *driver* performs the
//! effects its scripts ask for and records them. Everybody outside speaks to the [`Handle`].

mod alarm;
mod backlog;
mod border;
mod broker;
mod cells;
mod checker;
mod deadline;
mod deployer;
mod desk;
mod dispatcher;
mod displaced;
pub mod doors;
mod effects;
mod egress;
mod events;
mod expiry;
mod handle;
mod handlers;
mod link;
mod live;
mod lookout;
mod machine;
mod options;
mod outcome;
mod process;
mod random;
mod rates;
mod recorder;
mod rerun;
mod retention;
mod revisions;
mod runs;
mod scheduler;
mod secrets;
mod shared;
mod timer;
mod watch;
pub mod way;
mod webhooks;
mod why;

pub use deployer::validate;
pub use events::{Event, EventKind, Subscription};
pub use handle::{Engine, Handle};
pub use live::{Live, LiveInfo};
pub use options::{Error, Options, Refused};
pub use outcome::{Outcome, SyncReport};
pub use rerun::RerunRequest;
pub use runs::{StartRequest, Started};
pub use scheduler::{NextSlot, ScheduleView, Which};
pub use watch::Health;
pub use webhooks::{Arrival, Delivery, Opened, WebhookView};

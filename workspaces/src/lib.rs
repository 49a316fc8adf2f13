//! The manifest model of Signalbox: files become checked workspaces.
//!
//! ```text
//! signalbox.yaml ── parse_root ─► Root ─► RootEntry ┐
//! a workspace's folder ─────────────────────────────┴─ read ─► Draft ── check_request ─► (cell)
//!                                                               Draft ── finish(facts) ─► Workspace
//! every workspace that would be live ── contract::check ─► Verdict
//! ```
//!
//! Nothing here fetches, runs a script or touches a disk. Every function takes what it judges and
//! returns either the whole answer or every fault it has, each with file, line and column.

mod alarms;
mod calendars;
pub mod contract;
mod draft;
mod faults;
mod fields;
mod flow;
mod groups;
mod handlers;
mod locate;
mod manifest;
mod mark;
pub mod plan;
pub mod render;
pub mod root;
mod sources;
mod sub_flows;
mod units;
mod yaml;

pub use draft::{Draft, read};
pub use locate::locate;
pub use root::{ROOT_FILE, Root, RootEntry, WORKSPACE_FILE, parse_root};

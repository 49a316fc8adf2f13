//! The API: one endpoint, one file.

pub(crate) mod calls;
pub(crate) mod events;
pub(crate) mod flows;
pub(crate) mod healthz;
pub(crate) mod metrics;
pub(crate) mod queue;
pub(crate) mod readyz;
pub(crate) mod runs;
pub(crate) mod schedules;
pub(crate) mod secrets;
pub(crate) mod source;
pub(crate) mod sync;
pub(crate) mod webhooks;
pub(crate) mod workspaces;

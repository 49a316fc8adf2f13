//! What a run can do to the world, performed by the runner.
//!
//! Each effect is checked against the run, what its workspace is granted *now*, and the bounds of
//! DESIGN §6.7. Secrets are put in at the last moment and masked in whatever comes back.

mod connectors;
mod hmac;
mod http;
mod mask;
mod metrics;
mod perform;
mod secret;

pub(crate) use perform::{Context, log_line, perform};

//! The pure domain of Signalbox: ids, values, decisions and arithmetic.
//!
//! Nothing here reads a clock, a file or a socket. What the other crates decide, they decide with
//! functions of this one; what they exchange, they exchange in its types.

pub mod alarm;
pub mod answer;
pub mod bounds;
pub mod broker;
pub mod catalog;
pub mod check;
pub mod clock;
pub mod codes;
pub mod diagnostic;
pub mod handler;
pub mod health;
pub mod host;
pub mod ids;
pub mod inputs;
pub mod isolation;
pub mod journal;
pub mod occasion;
pub mod rate;
pub mod retry;
pub mod run;
pub mod schedule;
pub mod secret;
pub mod source;
pub mod template;
pub mod text;
pub mod turn;
pub mod value;
pub mod webhook;
pub mod why;

pub use ids::{DeploymentId, Digest, FlowName, FlowRef, Revision, RunId, WorkspaceName};
pub use value::Value;

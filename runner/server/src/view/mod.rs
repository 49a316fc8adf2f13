//! What clients see: each thing of the domain as JSON.
//!
//! Times are RFC 3339 in UTC with microseconds, spans are milliseconds, names are text. Fields
//! are never left out because they are empty, so that clients need not guess.

pub(crate) mod call;
pub(crate) mod deployment;
pub(crate) mod event;
pub(crate) mod flow;
pub(crate) mod health;
pub(crate) mod journal;
pub(crate) mod queue;
pub(crate) mod run;
pub(crate) mod schedule;
pub(crate) mod secret;
pub(crate) mod webhook;
pub(crate) mod why;
pub(crate) mod workspace;

use serde::Serialize;
use signalbox_core::clock::Timestamp;
use signalbox_core::ids::FlowRef;
use signalbox_core::value;
use utoipa::ToSchema;

/// A flow in full.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct FlowPlace {
    /// The workspace.
    pub(crate) workspace: String,
    /// The flow.
    pub(crate) flow: String,
}

impl From<&FlowRef> for FlowPlace {
    fn from(flow: &FlowRef) -> Self {
        Self { workspace: flow.workspace.to_string(), flow: flow.flow.to_string() }
    }
}

/// A moment, if there is one.
fn time(at: Option<Timestamp>) -> Option<String> {
    at.map(|at| at.to_string())
}

/// Milliseconds between two moments that are both there.
fn millis(from: Option<Timestamp>, to: Option<Timestamp>) -> Option<f64> {
    Some(to?.since(from?).as_secs_f64() * 1000.0)
}

/// The JSON form of canonical bytes.
pub(crate) fn json(bytes: &[u8]) -> Result<serde_json::Value, value::DecodeError> {
    value::decode(bytes).map(|value| value::to_json(&value))
}

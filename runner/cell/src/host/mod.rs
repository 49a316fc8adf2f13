//! Host functions: all that a script can do beyond the language. Each family has a file of its own;
//! `signalbox_core::host` documents every one of them, and a test holds the two together.

mod arguments;
mod base64;
mod bounds;
mod broker;
mod connector;
mod continue_as;
mod csv;
mod env;
mod flow;
mod hash;
mod hmac;
mod http;
mod json;
mod log;
mod metrics;
mod now;
mod options;
mod parallel;
mod random;
mod regex;
mod register;
mod response;
mod run;
mod secret;
mod sleep;
mod state;
mod stats;
mod step;
mod text;
mod time;
mod toml;
mod url;
mod uuid;
mod yaml;

pub(crate) use register::register;
#[cfg(test)]
pub(crate) use secret::proof;
pub(crate) use {broker::request, flow::run_flow, sleep::sleep};

use arguments::{argument, fail, open_argument, open_map, open_text, placed};

/// The type of connectors' handles.
#[cfg(test)]
pub(crate) fn connector_type() -> std::any::TypeId {
    std::any::TypeId::of::<connector::Connector>()
}

//! Host functions: all that a script can do beyond the language. Each family has a file of its own;
//! `signalbox_core::host` documents every one of them, and a test holds the two together.

mod arguments;
mod broker;
mod connector;
mod env;
mod hash;
mod http;
mod json;
mod log;
mod now;
mod random;
mod response;
mod run;
mod secret;
mod state;
mod step;
mod text;
mod time;
mod uuid;

use rhai::Engine;

pub(crate) use broker::request;
#[cfg(test)]
pub(crate) use secret::proof;

use arguments::{argument, fail, open_argument, open_map, open_text, placed};

/// The type of connectors' handles.
#[cfg(test)]
pub(crate) fn connector_type() -> std::any::TypeId {
    std::any::TypeId::of::<connector::Connector>()
}

/// Adds every host function to an engine.
pub(crate) fn register(engine: &mut Engine) {
    broker::register(engine);
    connector::register(engine);
    env::register(engine);
    hash::register(engine);
    http::register(engine);
    json::register(engine);
    log::register(engine);
    now::register(engine);
    random::register(engine);
    response::register(engine);
    run::register(engine);
    secret::register(engine);
    state::register(engine);
    step::register(engine);
    text::register(engine);
    time::register(engine);
    uuid::register(engine);
}

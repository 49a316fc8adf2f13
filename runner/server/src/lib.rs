//! The HTTP interface of a runner: the API, its events, and the pages for people.
//!
//! Every request passes one [`guard`] before any handler sees it, unknown routes included. A
//! handler reads one request, asks the engine's handle or the store, and answers with a view; what
//! fails becomes a [`problem::Problem`]. Nothing here decides anything about runs or revisions.

mod api;
mod app;
mod body;
mod connections;
mod guard;
mod listener;
mod options;
mod pages;
mod problem;
mod public;
mod query;
mod routes;
mod server;
mod sse;
mod starting;
mod token;
mod view;

#[cfg(test)]
mod tests;

pub use options::{Error, Options};
pub use routes::openapi;
pub use server::Server;
pub use token::{InvalidDigest, TokenDigest};

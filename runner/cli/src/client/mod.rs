//! The client of a runner's HTTP interface.

mod connect;
mod http;
mod problem;
mod request;
mod stream;

pub(crate) use connect::Connect;
pub(crate) use http::{Client, block_on};
pub(crate) use request::Request;

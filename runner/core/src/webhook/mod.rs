//! Webhooks: requests from outside that start a flow.
//!
//! A workspace binds a name to a flow, says how a sender proves who it is, and what of the request
//! becomes which input. All of it is data: nothing that a request or a manifest says is evaluated.

mod declared;
mod headers;
mod inputs;
mod key;
mod picked;
mod proof;
mod signature;

pub use declared::{
    Auth, MAX_REFERENCES, MAX_TOLERANCE, MAX_WAIT, Mode, Stamp, TOLERANCE, WAIT, Webhook, is_name,
};
pub use headers::Headers;
pub use inputs::{Fault, Reference, Request, inputs};
pub use key::{BadKey, key};
pub use proof::{Keys, Proof, before_body, of_body};

//! Webhooks at run time: who sends, and the run that a delivery starts. What proves a sender and
//! what a run is made of is decided in `signalbox_core::webhook`.
//!
//! What can be decided without the body is decided before it is read ([`Arrival::open`]); a
//! signature is checked over the bytes as they came, before anything reads them
//! ([`Opened::accept`]). Why a sender is not believed goes to the log; the sender is told only
//! that it is not.

mod arrival;
mod delivery;
mod view;

pub use arrival::{Arrival, Opened};
pub use delivery::Delivery;
pub use view::WebhookView;
pub(crate) use view::list;

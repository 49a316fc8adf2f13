//! Webhooks at run time: who sends, whether they prove it, and the run that a delivery starts.
//!
//! What can be decided without the body is decided before it is read ([`Arrival::open`]); a
//! signature is checked over the bytes as they came, before anything reads them
//! ([`Opened::accept`]). Why a sender is not believed goes to the log; the sender is told only
//! that it is not.

mod arrival;
mod delivery;
mod proof;
mod signature;
mod view;

pub use arrival::{Arrival, Opened};
pub use delivery::Delivery;
pub use view::WebhookView;
pub(crate) use view::list;

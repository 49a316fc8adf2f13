//! Webhooks: what senders deliver, and the list of what there is.

mod budget;
pub(crate) mod deliver;
pub(crate) mod list;

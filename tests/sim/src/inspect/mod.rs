//! What must hold, whatever happened. Looked at between two lives of a runner, and at the end.
//! What can be seen while it happens is in [`crate::watch`].

mod always;
mod calls;
mod endings;
mod handlers;
mod seen;
mod slots;
mod waits;
mod witness;

pub(crate) use witness::{Witness, at_the_end, between_lives, open};

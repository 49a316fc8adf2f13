//! The checks between workspaces, over the set that would be live.
//!
//! A fault between two workspaces is the fault of the one whose change made it: it goes back to
//! its live state, and the set is looked at again, because whatever relied on the change must go
//! back too. Every round moves at least one workspace back and none forward, so it ends; the
//! order of rounds is fixed by names, so the answer depends on nothing but what is checked. What
//! is live and unchanged is never rejected.

mod calls;
mod candidate;
mod check;
mod cycles;
mod declarations;
mod digest;
mod exports;
mod fault;
mod rounds;

pub use candidate::Candidate;
pub use check::{Verdict, check};
pub use digest::Contracts;

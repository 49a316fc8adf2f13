//! A test in a network of its own: its loopback interface, a link to *elsewhere* where every
//! address in the world answers, and names that stand for what the test says.
//!
//! The test starts itself again in new namespaces, so nothing of the machine's network is there and
//! every port is free. Both sides keep count of whoever connects; the kernel counts whoever tries.
//! A test that mounts something has mounts of its own in the same way.

mod enter;
mod honeypot;
mod names;
mod network;

pub use enter::{Apart, apart, with_own_mounts};
pub use honeypot::Honeypot;
pub use names::Names;

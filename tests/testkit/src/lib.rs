//! Hermetic repositories, servers and runners for the tests of Signalbox.
//!
//! Everything here is real: the git binary, sockets on the loopback interface, the `signalbox`
//! binary. Nothing sees the environment, the home folder or the git configuration of the machine.
//! Whatever does not work is the test's failure, so these functions panic instead of returning
//! errors; whatever waits, waits for an event and gives up at a deadline of [`PATIENCE`].

mod apart;
mod client;
mod hostile;
mod repo;
mod serve;
mod stub;
mod tls;
mod wire;

use std::time::Duration;

pub use apart::{Apart, Honeypot, Names, apart, with_own_mounts};
pub use client::{Answer, Client};
pub use hostile::{Hostile, hostile_scripts};
pub use repo::Repo;
pub use serve::{Launch, Serve, refuse};
pub use stub::HttpStub;
pub use tls::{Day, TlsStub};
pub use wire::{Request, Response};

/// How long anything is waited for before a test fails. Two busy cores must not make one fail.
pub const PATIENCE: Duration = Duration::from_mins(1);

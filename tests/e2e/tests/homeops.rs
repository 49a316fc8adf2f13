//! The reference repository: every flow of it does what it says, against stand-ins that speak the
//! protocols of Docker, the trading API and Slack.

#![expect(clippy::unwrap_used, reason = "what the tests share may fail as it may")]

#[path = "homeops/docker.rs"]
mod docker;
#[path = "homeops/domains.rs"]
mod domains;
#[path = "homeops/exchange.rs"]
mod exchange;
#[path = "homeops/home.rs"]
mod home;
#[path = "homeops/platform.rs"]
mod platform;

//! The one door to the network.
//!
//! A request goes out when its scheme, host and port are granted to its workspace now. A literal
//! address must be granted as such, whichever way it is written in a URL. A granted *name* is
//! resolved once, inside of the client that connects to what it resolved; addresses of this machine
//! and those that are of no single host elsewhere are dropped there, so that a name that is bound
//! to one of them later gains nothing. Private addresses are kept: the names of a home or an office
//! stand for them. The ports that the runner itself listens on are never reached.
//!
//! Every workspace has connections of its own: what a server has come to know of a connection does
//! not pass from one workspace to another.
//!
//! `door` decides and connects, `name` resolves, `address` knows what an address is of.

mod address;
mod door;
mod name;

pub(crate) use door::Egress;

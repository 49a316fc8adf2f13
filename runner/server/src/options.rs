//! What a server is started with, and how it fails.

use std::net::SocketAddr;

use crate::token::TokenDigest;

/// What a server is started with.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Where it listens; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Digest of the one token that may do everything. Without one, only this machine may ask.
    pub token: Option<TokenDigest>,
    /// The runner's version, for metrics and pages.
    pub version: &'static str,
}

/// A server that cannot serve.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Without a token, whoever reaches the address may do everything.
    #[error("listen on {0}: without a token only a loopback address is allowed")]
    TokenNeeded(SocketAddr),
    /// The address cannot be had.
    #[error("listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
}

//! What every handler shares.

use std::ops::Deref;
use std::sync::Arc;

use signalbox_engine::Handle;
use tokio::sync::watch;

use crate::token::TokenDigest;

/// What every handler shares; a cheap clone.
#[derive(Debug, Clone)]
pub(crate) struct App(Arc<Inner>);

#[derive(Debug)]
pub(crate) struct Inner {
    /// The engine.
    pub(crate) engine: Handle,
    /// Digest of the token, when one is needed.
    pub(crate) token: Option<TokenDigest>,
    /// The runner's version.
    pub(crate) version: &'static str,
    closing: watch::Receiver<bool>,
}

impl App {
    /// `closing` becomes true when the server takes no more requests.
    pub(crate) fn new(
        engine: Handle,
        token: Option<TokenDigest>,
        version: &'static str,
        closing: watch::Receiver<bool>,
    ) -> Self {
        Self(Arc::new(Inner { engine, token, version, closing }))
    }
}

impl Inner {
    /// Whether the server or its engine is stopping.
    pub(crate) fn is_closing(&self) -> bool {
        *self.closing.borrow() || self.engine.is_stopping()
    }

    /// Resolves when the server or its engine begins to stop: whatever waits must end.
    pub(crate) async fn closing(&self) {
        let mut closing = self.closing.clone();
        tokio::select! {
            // An error means that the server is gone, which is as good as closing.
            _ = closing.wait_for(|closing| *closing) => {}
            () = self.engine.stopping() => {}
        }
    }
}

impl Deref for App {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

//! Listening, serving, and stopping in order.

use std::net::SocketAddr;
use std::time::Duration;

use signalbox_engine::Handle;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::app::App;
use crate::connections;
use crate::listener::Bounded;
use crate::options::{Error, Options};
use crate::routes;

/// How long requests that are under way may take to end after the server began to stop.
const GRACE: Duration = Duration::from_secs(10);

/// A server that has its address and does not serve yet.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    router: axum::Router,
    close: watch::Sender<bool>,
}

impl Server {
    /// Takes the address, and keeps the engine's effects away from it. Must be called inside of a
    /// tokio runtime.
    ///
    /// # Errors
    /// [`Error::TokenNeeded`] for an address beyond loopback without a token, [`Error::Listen`]
    /// when the address cannot be had.
    pub fn bind(options: Options, engine: Handle) -> Result<Self, Error> {
        let Options { listen, token, version } = options;
        if token.is_none() && !listen.ip().to_canonical().is_loopback() {
            return Err(Error::TokenNeeded(listen));
        }
        let (listener, address) =
            open(listen).map_err(|source| Error::Listen { address: listen, source })?;
        engine.protect_port(address.port());
        let (close, closing) = watch::channel(false);
        let router = routes::router(App::new(engine, token, version, closing));
        Ok(Self { listener, address, router, close })
    }

    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `shutdown` resolves; then takes nothing new, ends streams of events and lets
    /// the requests that are under way end, for at most ten seconds.
    pub async fn run(self, shutdown: impl Future) {
        let mut closing = self.close.subscribe();
        let stop = async move {
            // An error means that the sender is gone: stop as well.
            drop(closing.wait_for(|closing| *closing).await);
        };
        let serving = connections::serve(Bounded::new(self.listener), self.router, stop);
        let mut serving = std::pin::pin!(serving);
        tokio::select! {
            () = &mut serving => return,
            _ = shutdown => {}
        }
        self.close.send_replace(true);
        if tokio::time::timeout(GRACE, serving).await.is_err() {
            tracing::warn!("left requests behind that did not end in time");
        }
    }
}

fn open(address: SocketAddr) -> std::io::Result<(TcpListener, SocketAddr)> {
    let listener = std::net::TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    let listener = TcpListener::from_std(listener)?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

//! A stand-in for the outside world: a small HTTP server that answers what the test says.

use std::collections::VecDeque;
use std::fmt;
use std::io::{BufReader, ErrorKind};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;

use crate::repo::fail;
use crate::wire::{self, Request, Response};
use crate::{Client, PATIENCE};

/// An HTTP/1.1 server on a free port of the loopback interface that keeps every request. It ends,
/// with its connections, when it is dropped.
pub struct HttpStub {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    answer: Box<dyn Fn(&Request) -> Response + Send + Sync>,
    state: Mutex<State>,
    arrived: Condvar,
}

#[derive(Default)]
struct State {
    requests: Vec<Request>,
    connections: Vec<TcpStream>,
    stopped: bool,
}

impl HttpStub {
    /// Starts a server that answers each request by a function. The function may block; requests
    /// of other connections are answered meanwhile.
    pub fn start(answer: impl Fn(&Request) -> Response + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let shared = Arc::new(Shared {
            answer: Box::new(answer),
            state: Mutex::default(),
            arrived: Condvar::new(),
        });
        let accepting = Arc::clone(&shared);
        thread::spawn(move || accept(&listener, &accepting));
        Self { address, shared }
    }

    /// Starts a server that gives these responses in this order, whatever is asked, and then 500.
    pub fn queue(responses: impl IntoIterator<Item = Response>) -> Self {
        let queue = Mutex::new(responses.into_iter().collect::<VecDeque<_>>());
        Self::start(move |_| {
            let next = queue.lock().expect("no panic in here").pop_front();
            next.unwrap_or_else(|| Response::text(500, "the test has queued no more responses"))
        })
    }

    /// Where it listens: `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// A client for it.
    pub fn client(&self) -> Client {
        Client::new(&self.url())
    }

    /// The requests until now, in the order in which they were read.
    pub fn requests(&self) -> Vec<Request> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner).requests.clone()
    }

    /// How many connections have come until now.
    pub fn connections(&self) -> usize {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner).connections.len()
    }

    /// Waits until `n` requests have come, and gives all that have. Fails the test at
    /// [`PATIENCE`].
    #[track_caller]
    pub fn wait_for(&self, n: usize) -> Vec<Request> {
        let state = self.shared.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (state, waited) = self
            .shared
            .arrived
            .wait_timeout_while(state, PATIENCE, |state| state.requests.len() < n)
            .expect("no panic in here");
        if waited.timed_out() {
            fail(&format!("waited for {n} requests, got {:#?}", state.requests));
        }
        state.requests.clone()
    }
}

impl Drop for HttpStub {
    fn drop(&mut self) {
        let Ok(mut state) = self.shared.state.lock() else { return };
        state.stopped = true;
        for connection in state.connections.drain(..) {
            drop(connection.shutdown(Shutdown::Both));
        }
        drop(state);
        // Wakes the thread that accepts, so that it sees the flag.
        drop(TcpStream::connect(self.address));
    }
}

impl fmt::Debug for HttpStub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpStub").field("address", &self.address).finish_non_exhaustive()
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for connection in listener.incoming() {
        let Ok(mut state) = shared.state.lock() else { return };
        if state.stopped {
            return;
        }
        let Ok(connection) = connection else { continue };
        let Ok(copy) = connection.try_clone() else { continue };
        state.connections.push(copy);
        drop(state);
        let shared = Arc::clone(shared);
        thread::spawn(move || drop(serve(&connection, &shared)));
    }
}

/// Answers the requests of a connection until either side closes it.
fn serve(connection: &TcpStream, shared: &Shared) -> std::io::Result<()> {
    let mut from = BufReader::new(connection);
    let mut to = connection;
    while let Some(request) = wire::read_request(&mut from)? {
        let mut state = shared.state.lock().map_err(|_| ErrorKind::Other)?;
        state.requests.push(request.clone());
        drop(state);
        shared.arrived.notify_all();
        let response = (shared.answer)(&request);
        if response.hang_up {
            return connection.shutdown(Shutdown::Both);
        }
        response.write(&mut to)?;
    }
    Ok(())
}

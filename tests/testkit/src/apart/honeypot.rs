//! Listeners that count.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// What it answers to whoever asks.
const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nhoney";

/// Listeners at some ports of every address, IPv4 and IPv6, that keep the address at which each
/// connection came in, also of those without a byte.
#[derive(Debug)]
pub struct Honeypot {
    seen: Arc<Mutex<Vec<SocketAddr>>>,
}

impl Honeypot {
    pub(super) fn open(ports: &[u16]) -> Self {
        let seen: Arc<Mutex<Vec<SocketAddr>>> = Arc::default();
        for port in ports {
            let listener = TcpListener::bind((Ipv6Addr::UNSPECIFIED, *port)).expect("a free port");
            let seen = Arc::clone(&seen);
            thread::spawn(move || {
                for connection in listener.incoming().map_while(Result::ok) {
                    let Ok(at) = connection.local_addr() else { continue };
                    let at = SocketAddr::new(at.ip().to_canonical(), at.port());
                    seen.lock().unwrap_or_else(PoisonError::into_inner).push(at);
                    thread::spawn(move || answer(&connection));
                }
            });
        }
        Self { seen }
    }

    /// The addresses at which connections have come in since the last call.
    pub fn take(&self) -> Vec<SocketAddr> {
        std::mem::take(&mut *self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn answer(mut connection: &TcpStream) {
    let mut lines = BufReader::new(connection).lines().map_while(Result::ok);
    if lines.any(|line| line.is_empty()) {
        drop(connection.write_all(ANSWER));
    }
}

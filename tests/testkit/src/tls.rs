//! A TLS server with a certificate that it signed itself, for those who look at certificates.

use std::fmt;
use std::io::Read as _;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use rcgen::{CertificateParams, DnType, KeyPair, date_time_ymd};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, Stream};

/// A year, a month and a day.
pub type Day = (i32, u8, u8);

/// A TLS server on a free port of the loopback interface. It says nothing once the connection is
/// there, and ends when it is dropped.
pub struct TlsStub {
    address: SocketAddr,
    stopped: Arc<AtomicBool>,
    heard: Arc<Mutex<Vec<u8>>>,
}

impl TlsStub {
    /// Starts a server whose certificate is for these names, valid from the first day to the last.
    pub fn start(names: &[&str], first: Day, last: Day) -> Self {
        let config = Arc::new(config(names, first, last));
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let stopped = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&stopped);
        let heard: Arc<Mutex<Vec<u8>>> = Arc::default();
        let into = Arc::clone(&heard);
        thread::spawn(move || {
            for connection in listener.incoming() {
                if seen.load(Ordering::SeqCst) {
                    return;
                }
                let (config, into) = (Arc::clone(&config), Arc::clone(&into));
                // Whoever does not like the certificate hangs up, which is no fault of this server.
                thread::spawn(move || {
                    connection.map(|connection| drop(serve(connection, config, &into)))
                });
            }
        });
        Self { address, stopped, heard }
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// What clients have told it that took its certificate.
    pub fn heard(&self) -> Vec<u8> {
        self.heard.lock().expect("no thread of it panics").clone()
    }
}

fn config(names: &[&str], first: Day, last: Day) -> ServerConfig {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).expect("names");
    params.not_before = date_time_ymd(first.0, first.1, first.2);
    params.not_after = date_time_ymd(last.0, last.1, last.2);
    params.distinguished_name.push(DnType::CommonName, "stand-in");
    let key = KeyPair::generate().expect("a key");
    let certificate = params.self_signed(&key).expect("a certificate");
    let private = PrivateKeyDer::Pkcs8(key.serialize_der().into());
    ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("protocols")
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], private)
        .expect("a certificate with its key")
}

/// Shakes hands, and listens until the other side closes.
fn serve(
    mut connection: TcpStream,
    config: Arc<ServerConfig>,
    into: &Mutex<Vec<u8>>,
) -> std::io::Result<()> {
    let mut session = ServerConnection::new(config).map_err(std::io::Error::other)?;
    let mut stream = Stream::new(&mut session, &mut connection);
    let mut part = [0; 4096];
    while let length @ 1.. = stream.read(&mut part)? {
        into.lock().expect("no thread of it panics").extend_from_slice(&part[..length]);
    }
    Ok(())
}

impl Drop for TlsStub {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::SeqCst);
        // Wakes the thread that accepts, so that it sees the flag.
        drop(TcpStream::connect(self.address));
    }
}

impl fmt::Debug for TlsStub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsStub").field("address", &self.address).finish_non_exhaustive()
    }
}

//! Whether a place may be reached, and the connection to it.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use reqwest::{Client, Url, redirect};
use rustls::ClientConfig;
use rustls::client::Resumption;
use rustls::crypto::aws_lc_rs;
use rustls_platform_verifier::Verifier;
use signalbox_core::WorkspaceName;
use signalbox_core::catalog::{Grants, NetworkGrant};
use signalbox_core::codes::Code;
use signalbox_core::journal::Failure;
use tokio::net::TcpStream;

use super::address::{is_local, is_of_one_host};
use super::name::{Checked, addresses};

/// Longest time to connect.
const CONNECT: Duration = Duration::from_secs(10);
/// TLS sessions that a workspace can resume.
const SESSIONS: usize = 32;

/// The door.
pub(crate) struct Egress {
    /// Made when it is first used: the machine's certificates are read for it, which takes
    /// milliseconds that a start need not wait for.
    tls: OnceLock<ClientConfig>,
    clients: Mutex<HashMap<WorkspaceName, Client>>,
    own_ports: RwLock<Vec<u16>>,
}

impl std::fmt::Debug for Egress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Egress").field("own_ports", &self.own_ports).finish_non_exhaustive()
    }
}

impl Egress {
    pub(crate) fn new(own_ports: &[u16]) -> Self {
        Self {
            tls: OnceLock::new(),
            clients: Mutex::default(),
            own_ports: RwLock::new(own_ports.to_vec()),
        }
    }

    /// Never reaches this port of this machine from now on.
    pub(crate) fn protect(&self, port: u16) {
        self.own_ports.write().unwrap_or_else(PoisonError::into_inner).push(port);
    }

    /// A workspace's client, for a URL that it may reach with these grants: for this one request
    /// and no other.
    pub(crate) fn client(
        &self,
        url: &Url,
        workspace: &WorkspaceName,
        grants: &Grants,
    ) -> Result<Client, Failure> {
        let scheme = url.scheme();
        if !matches!(scheme, "http" | "https") {
            return Err(denied(format!("`{scheme}:` cannot be reached; only http and https")));
        }
        self.check(url, &[scheme], grants)?;
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(workspace) {
            return Ok(client.clone());
        }
        let made = self.tls().and_then(|tls| make(tls).map_err(|error| error.to_string()));
        let client = made.map_err(|error| {
            let message = format!("outgoing connections cannot be set up: {error}");
            Failure::permanent(Code::Internal, message)
        })?;
        clients.insert(workspace.clone(), client.clone());
        Ok(client)
    }

    /// How TLS is spoken. The certificates are read once, and shared.
    fn tls(&self) -> Result<ClientConfig, String> {
        if let Some(tls) = self.tls.get() {
            return Ok(tls.clone());
        }
        let made = tls().map_err(|error| error.to_string())?;
        Ok(self.tls.get_or_init(|| made).clone())
    }

    /// Checks that the place of a URL may be reached in one of some schemes.
    fn check(&self, url: &Url, schemes: &[&str], grants: &Grants) -> Result<(), Failure> {
        if !url.username().is_empty() || url.password().is_some() {
            return Err(denied("a URL with a user or password in it".to_owned()));
        }
        let Some(host) = url.host_str().map(|host| host.trim_matches(['[', ']'])) else {
            return Err(denied("a URL without a host".to_owned()));
        };
        let port = url.port_or_known_default().unwrap_or(0);
        let granted = |scheme: &&str| grants.network.iter().any(|g| fits(g, scheme, host, port));
        if !schemes.iter().any(granted) {
            return Err(denied(format!(
                "`{}://{host}:{port}` is not granted; the root manifest can grant it under \
                 `grants.network`",
                url.scheme()
            )));
        }
        match host.parse::<IpAddr>() {
            Ok(address) => self.check_literal(address, port),
            Err(_) => Ok(()),
        }
    }

    /// Refuses the runner itself, and what is of no single host, whatever is granted.
    fn check_literal(&self, address: IpAddr, port: u16) -> Result<(), Failure> {
        if !is_of_one_host(address) {
            return Err(denied(format!("`{address}` is no address of a single host")));
        }
        let own = self.own_ports.read().unwrap_or_else(PoisonError::into_inner).contains(&port);
        if own && is_local(address).map_err(|error| unknown(address, &error))? {
            return Err(denied(format!("`{address}` at port {port} is the runner itself")));
        }
        Ok(())
    }

    /// A connection of its own to the place of a URL, which must be granted in one of some schemes.
    ///
    /// # Errors
    /// It may not be reached. Whether it can be is the inner result.
    #[expect(clippy::disallowed_methods, reason = "the one door to the network")]
    pub(crate) async fn connect(
        &self,
        url: &Url,
        schemes: &[&str],
        grants: &Grants,
    ) -> Result<io::Result<TcpStream>, Failure> {
        self.check(url, schemes, grants)?;
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
        let port = url.port_or_known_default().unwrap_or(0);
        let addresses = match addresses(host).await {
            Ok(addresses) => addresses,
            Err(error) => return Ok(Err(error)),
        };
        let all: Vec<_> = addresses.into_iter().map(|ip| SocketAddr::new(ip, port)).collect();
        Ok(TcpStream::connect(all.as_slice()).await)
    }

    /// The addresses of a host that is granted with whichever port.
    ///
    /// # Errors
    /// It may not be asked for. Whether it has any is the inner result.
    pub(crate) async fn resolve(
        &self,
        host: &str,
        grants: &Grants,
    ) -> Result<io::Result<Vec<IpAddr>>, Failure> {
        if !grants.network.iter().any(|grant| is_same_host(&grant.host, host)) {
            let message = format!(
                "`{host}` is not granted; the root manifest can grant it under `grants.network`"
            );
            return Err(denied(message));
        }
        Ok(addresses(host).await)
    }
}

fn tls() -> Result<ClientConfig, rustls::Error> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier = Verifier::new(Arc::clone(&provider))?;
    let mut tls = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    tls.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(tls)
}

/// A client with connections and sessions of its own.
#[expect(clippy::disallowed_methods, reason = "the one door to the network")]
fn make(mut tls: ClientConfig) -> Result<Client, reqwest::Error> {
    tls.resumption = Resumption::in_memory_sessions(SESSIONS);
    Client::builder()
        .tls_backend_preconfigured(tls)
        .no_proxy()
        .redirect(redirect::Policy::none())
        .connect_timeout(CONNECT)
        .dns_resolver(Arc::new(Checked))
        .user_agent(concat!("signalbox/", env!("CARGO_PKG_VERSION")))
        .build()
}

fn denied(message: String) -> Failure {
    Failure::permanent(Code::Denied, message)
}

fn unknown(address: IpAddr, error: &io::Error) -> Failure {
    let message = format!("whether `{address}` is of this machine cannot be told: {error}");
    Failure::transient(Code::EffectFailed, message)
}

/// Whether a grant covers a place. A grant without a port is for the ports of its schemes.
fn fits(grant: &NetworkGrant, scheme: &str, host: &str, port: u16) -> bool {
    let standard = |scheme: &str| if scheme == "https" { 443 } else { 80 };
    let same_scheme = grant.scheme.as_deref().is_none_or(|granted| granted == scheme);
    is_same_host(&grant.host, host)
        && same_scheme
        && grant.port.map_or(port == standard(scheme), |own| own == port)
}

/// Whether a host is the granted one: the same address, or the same name, which may end in a dot.
fn is_same_host(granted: &str, host: &str) -> bool {
    match (granted.parse::<IpAddr>(), host.parse::<IpAddr>()) {
        (Ok(granted), Ok(host)) => granted == host,
        (Err(_), Err(_)) => granted.eq_ignore_ascii_case(host.strip_suffix('.').unwrap_or(host)),
        (Ok(_), Err(_)) | (Err(_), Ok(_)) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grants(all: &[(Option<&str>, &str, Option<u16>)]) -> Grants {
        let network = all
            .iter()
            .map(|(scheme, host, port)| NetworkGrant {
                scheme: scheme.map(str::to_owned),
                host: (*host).to_owned(),
                port: *port,
            })
            .collect();
        Grants { network, ..Grants::default() }
    }

    fn allows(egress: &Egress, url: &str, grants: &Grants) -> bool {
        let workspace = "ops".parse().unwrap();
        url.parse().is_ok_and(|url| egress.client(&url, &workspace, grants).is_ok())
    }

    #[test]
    fn nothing_is_reached_that_is_not_granted() {
        let egress = Egress::new(&[8742]);
        let none = Grants::default();
        assert!(!allows(&egress, "https://example.com/", &none));
        let some = grants(&[
            (None, "example.com", None),
            (Some("http"), "nas.lan", Some(9090)),
            (None, "127.0.0.1", Some(8080)),
            (None, "127.0.0.1", Some(8742)),
            (None, "169.254.169.254", None),
        ]);
        for good in [
            "https://example.com/x",
            "http://EXAMPLE.com",
            "http://nas.lan:9090",
            "http://127.0.0.1:8080",
        ] {
            assert!(allows(&egress, good, &some), "{good}");
        }
        for bad in [
            "https://example.com:8443/",
            "https://example.com.evil.org/",
            "https://user@example.com/",
            "https://nas.lan:9090",
            "http://nas.lan",
            "http://127.0.0.1:8742",
            "http://2130706433:8742",
            "http://0x7f.1:8742",
            "http://[::1]:8080",
            "http://[::ffff:127.0.0.1]:8080",
            "http://localhost:8080",
            "http://169.254.169.254/latest",
            "ftp://example.com",
            "file:///etc/passwd",
        ] {
            assert!(!allows(&egress, bad, &some), "{bad}");
        }
    }
}

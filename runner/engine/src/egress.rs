//! The one door to the network.
//!
//! A request goes out when its scheme, host and port are granted. A granted *name* is resolved
//! once, inside the client that connects to what it resolved; addresses of this machine, link-local
//! and other addresses that no name should stand for are dropped there, so that a name that is
//! bound to one of them later gains nothing. A literal address must be granted as such. The ports
//! that the runner itself listens on are never reached, whatever is granted.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Client, Url, redirect};
use signalbox_core::catalog::{Grants, NetworkGrant};
use signalbox_core::codes::Code;
use signalbox_core::journal::Failure;
use tokio::net::TcpStream;

/// Longest time to connect.
const CONNECT: Duration = Duration::from_secs(10);

/// The door.
#[derive(Debug)]
pub(crate) struct Egress {
    /// Made when it is first used: the machine's certificates are read for it, which takes
    /// milliseconds that a start need not wait for.
    client: OnceLock<Client>,
    own_ports: RwLock<Vec<u16>>,
}

impl Egress {
    pub(crate) fn new(own_ports: &[u16]) -> Self {
        Self { client: OnceLock::new(), own_ports: RwLock::new(own_ports.to_vec()) }
    }

    /// Never reaches this port of this machine from now on.
    pub(crate) fn protect(&self, port: u16) {
        self.own_ports.write().unwrap_or_else(PoisonError::into_inner).push(port);
    }

    /// The client, for a URL that may be reached with these grants.
    pub(crate) fn client(&self, url: &Url, grants: &Grants) -> Result<&Client, Failure> {
        let scheme = url.scheme();
        if !matches!(scheme, "http" | "https") {
            return Err(denied(format!("`{scheme}:` cannot be reached; only http and https")));
        }
        self.check(url, &[scheme], grants)?;
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        let made = make().map_err(|error| {
            let message = format!("outgoing connections cannot be set up: {error}");
            Failure::permanent(Code::Internal, message)
        })?;
        Ok(self.client.get_or_init(|| made))
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
        if let Ok(address) = host.parse::<IpAddr>() {
            let own = self.own_ports.read().unwrap_or_else(PoisonError::into_inner);
            if own.contains(&port) && is_local(address) {
                return Err(denied(format!("`{host}:{port}` is the runner itself")));
            }
            if !is_sane(address) {
                return Err(denied(format!("`{host}` is no address of a single host")));
            }
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
        let host = host.trim_end_matches('.');
        if !grants.network.iter().any(|grant| grant.host.eq_ignore_ascii_case(host)) {
            let message = format!(
                "`{host}` is not granted; the root manifest can grant it under `grants.network`"
            );
            return Err(denied(message));
        }
        Ok(addresses(host).await)
    }
}

#[expect(clippy::disallowed_methods, reason = "the one door to the network")]
fn make() -> Result<Client, reqwest::Error> {
    Client::builder()
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

/// Whether a grant covers a place. A grant without a port is for the ports of its schemes.
fn fits(grant: &NetworkGrant, scheme: &str, host: &str, port: u16) -> bool {
    let standard = |scheme: &str| if scheme == "https" { 443 } else { 80 };
    let same_host = grant.host.eq_ignore_ascii_case(host.trim_end_matches('.'));
    let same_scheme = grant.scheme.as_deref().is_none_or(|granted| granted == scheme);
    same_host && same_scheme && grant.port.map_or(port == standard(scheme), |own| own == port)
}

/// The addresses of a host: a literal stands for itself, a name for what is neither of this machine
/// nor what no name should stand for.
#[expect(clippy::disallowed_methods, reason = "the one place that resolves names")]
async fn addresses(host: &str) -> io::Result<Vec<IpAddr>> {
    if let Ok(literal) = host.parse::<IpAddr>() {
        return Ok(vec![literal]);
    }
    let found: Vec<IpAddr> =
        tokio::net::lookup_host((host, 0)).await?.map(|address| address.ip()).collect();
    let fits = |address: &IpAddr| is_sane(*address) && !is_local(*address);
    let usable: Vec<_> = found.iter().copied().filter(fits).collect();
    if usable.is_empty() && !found.is_empty() {
        let message = format!("`{host}` stands for addresses of this machine only");
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, message));
    }
    Ok(usable)
}

/// Resolves names for the client.
#[derive(Debug)]
struct Checked;

impl Resolve for Checked {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let usable = addresses(name.as_str()).await?;
            Ok(Box::new(usable.into_iter().map(|ip| SocketAddr::new(ip, 0))) as Addrs)
        })
    }
}

/// Whether an address is one of this machine. Asked of the kernel: what can be bound is local.
fn is_local(address: IpAddr) -> bool {
    let address = address.to_canonical();
    address.is_loopback() || address.is_unspecified() || UdpSocket::bind((address, 0)).is_ok()
}

/// Whether an address is of a single host that is not merely next to this one.
fn is_sane(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => {
            !(v4.is_unspecified()
                || v4.is_link_local()
                || v4.is_multicast()
                || v4 == Ipv4Addr::BROADCAST
                || v4.octets()[0] == 0
                || v4.octets()[0] >= 240)
        }
        IpAddr::V6(v6) => {
            // 64:ff9b::/96 (RFC 6052) and 2002::/16 (RFC 3056) carry IPv4 addresses inside.
            let carries_v4 = v6.segments()[0] == 0x2002 || v6.segments()[..2] == [0x64, 0xff9b];
            !(v6.is_unspecified() || v6.is_multicast() || v6.is_unicast_link_local() || carries_v4)
        }
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
        egress.client(&url.parse().unwrap(), grants).is_ok()
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

    #[tokio::test]
    async fn a_name_never_stands_for_this_machine() {
        let refused = Checked.resolve("localhost".parse().unwrap()).await;
        assert!(refused.is_err());
    }

    #[test]
    fn every_spelling_of_what_is_not_a_host_is_known() {
        for bad in [
            "0.0.0.0",
            "0.1.2.3",
            "169.254.1.1",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "fe80::1",
            "ff02::1",
            "::ffff:169.254.1.1",
            "2002:7f00:1::",
            "64:ff9b::7f00:1",
        ] {
            assert!(!is_sane(bad.parse().unwrap()), "{bad}");
        }
        for local in ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1", "0.0.0.0"] {
            assert!(is_local(local.parse().unwrap()), "{local}");
        }
    }
}

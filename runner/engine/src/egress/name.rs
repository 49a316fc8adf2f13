//! Names, which stand for hosts elsewhere only.

use std::io;
use std::net::{IpAddr, SocketAddr};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::address::{is_local, is_of_one_host};

/// The addresses of a host: a literal stands for itself, a name for those of its addresses that
/// are of single hosts elsewhere.
///
/// # Errors
/// The name cannot be resolved, or stands for no such address although it has some.
#[expect(clippy::disallowed_methods, reason = "the one place that resolves names")]
pub(super) async fn addresses(host: &str) -> io::Result<Vec<IpAddr>> {
    if let Ok(literal) = host.parse::<IpAddr>() {
        return Ok(vec![literal]);
    }
    let found = tokio::net::lookup_host((host, 0)).await?.map(|address| address.ip());
    let (mut usable, mut dropped) = (Vec::new(), false);
    for address in found {
        if is_of_one_host(address) && !is_local(address)? {
            usable.push(address);
        } else {
            dropped = true;
        }
    }
    if usable.is_empty() && dropped {
        let message = format!("`{host}` stands for addresses of this machine, or of no host, only");
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, message));
    }
    Ok(usable)
}

/// Resolves names for the client.
#[derive(Debug)]
pub(super) struct Checked;

impl Resolve for Checked {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let usable = addresses(name.as_str()).await?;
            Ok(Box::new(usable.into_iter().map(|ip| SocketAddr::new(ip, 0))) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_name_never_stands_for_this_machine() {
        let refused = Checked.resolve("localhost".parse().unwrap()).await;
        assert!(refused.is_err());
    }
}

//! What an address is of: this machine, a single host elsewhere, or neither.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};

use rustix::io::Errno;
use sysinfo::{NetworkData, Networks};

/// Whether an address is one of this machine. Asked of the kernel: what can be bound is local.
///
/// # Errors
/// The kernel does not say, for want of descriptors or of a right. Whoever asks must not go on.
pub(super) fn is_local(address: IpAddr) -> io::Result<bool> {
    let address = address.to_canonical();
    if address.is_loopback() || address.is_unspecified() {
        return Ok(true);
    }
    match UdpSocket::bind((address, 0)) {
        // Where everything can be bound (`ip_nonlocal_bind`), that says nothing.
        Ok(_) if UdpSocket::bind((nobodys(address), 0)).is_ok() => is_of_an_interface(address),
        Ok(_) => Ok(true),
        // Nothing of this machine has such an address, or any of its family.
        Err(error) => match Errno::from_io_error(&error) {
            Some(Errno::ADDRNOTAVAIL | Errno::AFNOSUPPORT) => Ok(false),
            _ => Err(error),
        },
    }
}

/// An address of the same family that no interface has: documentation (RFC 5737), discard (RFC 6666).
fn nobodys(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => Ipv4Addr::new(192, 0, 2, 1).into(),
        IpAddr::V6(_) => Ipv6Addr::new(0x100, 0, 0, 0, 0, 0, 0, 1).into(),
    }
}

fn is_of_an_interface(address: IpAddr) -> io::Result<bool> {
    let interfaces = Networks::new_with_refreshed_list();
    let interfaces = interfaces.map_err(|error| io::Error::other(error.to_string()))?;
    Ok(interfaces.values().flat_map(NetworkData::ip_networks).any(|own| own.addr == address))
}

/// Whether an address is of a single host that is not merely next to this one, and says so itself.
pub(super) fn is_of_one_host(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_of_one_v4_host(address),
        IpAddr::V6(address) => address.is_loopback() || is_of_one_v6_host(address),
    }
}

/// Refuses what the registry of special IPv4 addresses (RFC 6890) has of no host: this network,
/// link-local (the metadata of clouds), protocol assignments, 6to4 relays, multicast, and the
/// reserved rest with its broadcast address.
fn is_of_one_v4_host(address: Ipv4Addr) -> bool {
    !matches!(
        address.octets(),
        [0 | 224..=255, ..] | [169, 254, ..] | [192, 0, 0, _] | [192, 88, 99, _]
    )
}

/// Refuses multicast, link-local, the former site-local, and whatever carries an IPv4 address
/// inside: compatible and mapped ones (RFC 4291), translated (RFC 2765), NAT64 (RFC 6052, 8215),
/// 6to4 (RFC 3056), Teredo (RFC 4380) and ISATAP (RFC 5214). What is meant is said in IPv4.
fn is_of_one_v6_host(address: Ipv6Addr) -> bool {
    !matches!(
        address.segments(),
        [0, 0, 0, 0, 0, 0 | 0xffff, _, _]
            | [0, 0, 0, 0, 0xffff, 0, _, _]
            | [0x64, 0xff9b, ..]
            | [0x100, 0, 0, 0, ..]
            | [0x2001, 0, ..]
            | [0x2002 | 0xfe80..=0xffff, ..]
            | [_, _, _, _, 0 | 0x200, 0x5efe, _, _]
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_of_no_single_host_is_known() {
        for bad in [
            "0.0.0.0",
            "0.1.2.3",
            "169.254.1.1",
            "169.254.169.254",
            "192.0.0.170",
            "192.88.99.1",
            "224.0.0.1",
            "239.255.255.250",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::7f00:1",
            "::10.0.0.1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.1.1",
            "::ffff:8.8.8.8",
            "::ffff:0:10.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b:1::a00:1",
            "100::1",
            "2001::7f00:1",
            "2001:0:4136:e378:8000:63bf:3fff:fdd2",
            "2002:7f00:1::",
            "2002:a00:1::1",
            "fe80::1",
            "febf::1",
            "fec0::1",
            "feff::1",
            "ff02::1",
            "ff0e::1",
            "2001:db8::5efe:10.0.0.1",
            "2001:db8::200:5efe:10.0.0.1",
        ] {
            assert!(!is_of_one_host(bad.parse().unwrap()), "{bad}");
        }
    }

    #[test]
    fn hosts_at_home_in_an_office_and_elsewhere_are_hosts() {
        for good in [
            "127.0.0.1",
            "10.0.0.1",
            "172.16.0.1",
            "192.168.1.10",
            "100.64.0.1",
            "203.0.113.7",
            "8.8.8.8",
            "::1",
            "fd00::10",
            "fc00::1",
            "2001:db8::1",
            "2001:4860:4860::8888",
            "2606:4700::1111",
        ] {
            assert!(is_of_one_host(good.parse().unwrap()), "{good}");
        }
    }

    #[test]
    fn this_machine_is_known_by_all_its_loopback_addresses() {
        for local in ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1", "0.0.0.0", "::"] {
            assert!(is_local(local.parse().unwrap()).unwrap(), "{local}");
        }
        for other in ["203.0.113.7", "2001:db8::1"] {
            assert!(!is_local(other.parse().unwrap()).unwrap(), "{other}");
            assert!(!is_of_an_interface(other.parse().unwrap()).unwrap(), "{other}");
        }
        assert!(is_of_an_interface(Ipv4Addr::LOCALHOST.into()).unwrap());
    }
}

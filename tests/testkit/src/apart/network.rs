//! The link to elsewhere.

use std::fs::File;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::AsRawFd as _;
use std::sync::mpsc::channel;
use std::thread;

use rtnetlink::packet_route::address::{AddressAttribute, AddressFlags};
use rtnetlink::packet_route::route::{RouteScope, RouteType};
use rtnetlink::{Error, Handle, LinkUnspec, LinkVeth, RouteMessageBuilder};
use rustix::net::{AddressFamily, SocketType, netdevice, socket};
use rustix::thread::UnshareFlags;

use super::Honeypot;

/// The loopback interface's number in every network.
const LOOPBACK: u32 = 1;
/// The two ends of the link.
const OWN: &str = "own";
const THEIRS: &str = "theirs";
/// Addresses of this machine beside loopback: two on the link, and two as a public machine has.
const OWN_V4: Ipv4Addr = Ipv4Addr::new(10, 99, 0, 1);
const OWN_V6: Ipv6Addr = Ipv6Addr::new(0xfd99, 0, 0, 0, 0, 0, 0, 1);
const PUBLIC_V4: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 9);
const PUBLIC_V6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 9, 0, 0, 0, 0, 9);
/// The way to everywhere else.
const WAY_V4: Ipv4Addr = Ipv4Addr::new(10, 99, 0, 2);
const WAY_V6: Ipv6Addr = Ipv6Addr::new(0xfd99, 0, 0, 0, 0, 0, 0, 2);

/// Makes elsewhere, and the way to it. The network that it is called in must be the test's own.
pub(super) fn open(ports: &[u16]) -> Honeypot {
    let own = File::open("/proc/thread-self/ns/net").expect("this network");
    let ports = ports.to_vec();
    let (sender, receiver) = channel();
    thread::spawn(move || {
        leave();
        wait(elsewhere(own));
        drop(sender.send(Honeypot::open(&ports)));
    });
    let there = receiver.recv().expect("elsewhere");
    wait(here());
    there
}

/// A new network for this thread alone.
#[expect(unsafe_code, reason = "a thread that shares nothing more than sockets leaves its network")]
fn leave() {
    // SAFETY: nothing that other threads rely on is unshared: only which network new sockets are of.
    unsafe { rustix::thread::unshare_unsafe(UnshareFlags::NEWNET) }.expect("a new network");
}

fn wait(work: impl Future<Output = Result<(), Error>>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(work).expect("the kernel makes the network");
}

/// The kernel's answers come in beside the work.
fn kernel() -> Handle {
    let (connection, handle, _) = rtnetlink::new_connection().expect("a way to the kernel");
    tokio::spawn(connection);
    handle
}

/// Every address is local to elsewhere, but for those on the link.
async fn elsewhere(own: File) -> Result<(), Error> {
    let kernel = kernel();
    kernel.link().add(LinkVeth::new(THEIRS, OWN).build()).execute().await?;
    let moved = LinkUnspec::new_with_index(index(OWN)).setns_by_fd(own.as_raw_fd()).build();
    kernel.link().set(moved).execute().await?;
    let link = index(THEIRS);
    up(&kernel, LOOPBACK).await?;
    up(&kernel, link).await?;
    add(&kernel, link, WAY_V4.into(), 24).await?;
    add(&kernel, link, WAY_V6.into(), 64).await?;
    let all = RouteMessageBuilder::<Ipv4Addr>::new().output_interface(LOOPBACK);
    let all = all.destination_prefix(Ipv4Addr::UNSPECIFIED, 0).kind(RouteType::Local);
    kernel.route().add(all.scope(RouteScope::Host).build()).execute().await?;
    let all = RouteMessageBuilder::<Ipv6Addr>::new().output_interface(LOOPBACK);
    let all = all.destination_prefix(Ipv6Addr::UNSPECIFIED, 0).kind(RouteType::Local);
    kernel.route().add(all.build()).execute().await
}

async fn here() -> Result<(), Error> {
    let kernel = kernel();
    let link = index(OWN);
    up(&kernel, LOOPBACK).await?;
    up(&kernel, link).await?;
    add(&kernel, LOOPBACK, PUBLIC_V4.into(), 32).await?;
    add(&kernel, LOOPBACK, PUBLIC_V6.into(), 128).await?;
    add(&kernel, link, OWN_V4.into(), 24).await?;
    add(&kernel, link, OWN_V6.into(), 64).await?;
    let way = RouteMessageBuilder::<Ipv4Addr>::new().gateway(WAY_V4).build();
    kernel.route().add(way).execute().await?;
    let way = RouteMessageBuilder::<Ipv6Addr>::new().gateway(WAY_V6).build();
    kernel.route().add(way).execute().await
}

fn index(link: &str) -> u32 {
    let any = socket(AddressFamily::INET, SocketType::DGRAM, None).expect("a socket");
    netdevice::name_to_index(any, link).expect("the link is there")
}

async fn up(kernel: &Handle, link: u32) -> Result<(), Error> {
    kernel.link().set(LinkUnspec::new_with_index(link).up().build()).execute().await
}

/// Adds an address that is there at once.
async fn add(kernel: &Handle, link: u32, address: IpAddr, prefix: u8) -> Result<(), Error> {
    let mut request = kernel.address().add(link, address, prefix);
    let at_once = AddressAttribute::Flags(AddressFlags::Nodad);
    request.message_mut().attributes.push(at_once);
    request.execute().await
}

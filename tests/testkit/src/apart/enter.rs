//! Starting again, apart.

use std::fs;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use super::{Honeypot, Names, network};
use crate::repo::fail;

/// Set in the environment of a test that is apart.
const INSIDE: &str = "SIGNALBOX_APART";

/// What a test that is apart has around it.
#[derive(Debug)]
pub struct Apart {
    /// Whoever connects to an address of this machine, at one of the test's ports.
    pub here: Honeypot,
    /// Whoever connects to any other address, at one of the test's ports.
    pub there: Honeypot,
    /// What names stand for.
    pub names: Names,
    _files: TempDir,
}

/// Runs a test, given by its whole name, in a network of its own with listeners at these ports.
/// Works for root, and for whoever may make user namespaces.
#[track_caller]
pub fn apart(test: &str, ports: &[u16], body: impl FnOnce(&Apart)) {
    enter(test, &["--net", "--mount"], || body(&Apart::open(ports)));
}

/// Runs a test, given by its whole name, with mounts of its own: what it mounts is seen by nobody
/// else and goes away with it. Works for the same.
#[track_caller]
pub fn with_own_mounts(test: &str, body: impl FnOnce()) {
    enter(test, &["--mount"], body);
}

/// Runs a test in new namespaces: in a child that is told to run it and nothing else.
#[track_caller]
fn enter(test: &str, namespaces: &[&str], body: impl FnOnce()) {
    if std::env::var_os(INSIDE).is_some() {
        return body();
    }
    let mut command = Command::new("unshare");
    command.args(namespaces);
    if !rustix::process::geteuid().is_root() {
        command.args(["--user", "--map-current-user", "--keep-caps"]);
    }
    let own = std::env::current_exe().expect("the test's own file");
    command.arg(own).args(["--exact", test, "--nocapture"]).env(INSIDE, "1");
    let output = command.output().expect("`unshare` of util-linux");
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, err) = (said(&output.stdout), said(&output.stderr));
    if !output.status.success() || !out.contains("1 passed") {
        fail(&format!("`{test}` in namespaces of its own: {}\n{out}\n{err}", output.status));
    }
}

impl Apart {
    fn open(ports: &[u16]) -> Self {
        let files = tempfile::tempdir().expect("a temporary folder");
        for (name, content) in [
            ("resolv.conf", "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n"),
            ("hosts", "127.0.0.1 localhost\n::1 localhost ip6-localhost\n127.0.1.1 this.test\n"),
            ("nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n"),
        ] {
            let (own, machine) = (files.path().join(name), Path::new("/etc").join(name));
            fs::write(&own, content).expect("a file");
            // What the machine does not have it does not read.
            if machine.exists() {
                rustix::mount::mount_bind(&own, &machine).expect("a mount of its own");
            }
        }
        let there = network::open(ports);
        Self { here: Honeypot::open(ports), there, names: Names::serve(), _files: files }
    }

    /// How many connections this network's processes have tried to make, as the kernel counts them:
    /// also those that nobody answered.
    pub fn tried(&self) -> u64 {
        let counters = fs::read_to_string("/proc/net/snmp").expect("the kernel's counters");
        let mut lines = counters.lines().filter_map(|line| line.strip_prefix("Tcp: "));
        let mut words = || lines.next().unwrap_or_default().split_whitespace().collect::<Vec<_>>();
        let (names, values) = (words(), words());
        let at = names.iter().position(|name| *name == "ActiveOpens");
        let value = at.and_then(|at| values.get(at)?.parse().ok());
        value.expect("a counter of connections")
    }
}

//! Namespaces of the process's own, with nothing in them.

use std::fs;
use std::io;

use rustix::mount::{MountFlags, MountPropagationFlags, UnmountFlags};
use rustix::process::DumpableBehavior;
use rustix::thread::UnshareFlags;

use super::{Error, failed, identity};

/// A directory that every system has and that nobody needs any more: the empty root is mounted
/// there before it becomes the root.
const SPOT: &str = "/proc";

/// Whether the process has namespaces of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Apart {
    /// Mounts, network, inter-process communication and host name; and an empty root.
    Yes,
    /// The kernel gives none.
    No,
}

/// Leaves the system's namespaces for empty ones; with a user namespace, which gives anyone the
/// right to, or by the process's own rights. That the kernel refuses to is an answer.
pub(super) fn leave(user: bool) -> Result<Apart, Error> {
    let (uid, gid) = (rustix::process::getuid(), rustix::process::getgid());
    let mut flags =
        UnshareFlags::NEWNS | UnshareFlags::NEWNET | UnshareFlags::NEWIPC | UnshareFlags::NEWUTS;
    if user {
        flags |= UnshareFlags::NEWUSER;
        // The files in `/proc` that say who is who belong to root otherwise.
        rustix::process::set_dumpable_behavior(DumpableBehavior::Dumpable)
            .map_err(failed("prepare a user namespace"))?;
    }
    if unshare(flags).is_err() {
        return Ok(Apart::No);
    }
    if user {
        map("/proc/self/setgroups", "deny")?;
        map("/proc/self/uid_map", &format!("{0} {0} 1", uid.as_raw()))?;
        map("/proc/self/gid_map", &format!("{0} {0} 1", gid.as_raw()))?;
    }
    // A container may let its processes leave and not mount: then what they left for is not empty.
    let apart = if empty_root().is_ok() { Apart::Yes } else { Apart::No };
    if user {
        identity::drop_rights()?;
    }
    Ok(apart)
}

#[expect(unsafe_code, reason = "a namespace of descriptors would be shared with nobody")]
fn unshare(flags: UnshareFlags) -> io::Result<()> {
    // SAFETY: the flags do not say `FILES`, so descriptors mean what they meant.
    unsafe { rustix::thread::unshare_unsafe(flags)? };
    Ok(())
}

fn map(file: &str, text: &str) -> Result<(), Error> {
    fs::write(file, text).map_err(failed("be somebody in a user namespace"))
}

/// Nothing is mounted but an empty directory that cannot be written to.
fn empty_root() -> io::Result<()> {
    let quiet = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    rustix::mount::mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)?;
    rustix::mount::mount("", SPOT, "tmpfs", quiet | MountFlags::RDONLY, c"nr_inodes=1,mode=0555")?;
    rustix::process::chdir(SPOT)?;
    rustix::process::pivot_root(".", ".")?;
    rustix::mount::unmount(".", UnmountFlags::DETACH)?;
    rustix::process::chdir("/")?;
    Ok(())
}

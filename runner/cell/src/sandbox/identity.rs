//! Who the process is to the kernel: nobody, with no rights.

use rustix::process::{Gid, Uid};
use rustix::thread::{CapabilitySet, CapabilitySets};

use super::{Error, failed};

/// The id that a cell of a runner that is root gets: the kernel's own for ids that have no meaning
/// (`overflowuid`), which owns nothing on any system.
const NOBODY: u32 = 65_534;

/// Whether the process is root to the kernel.
pub(super) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Gives up root, its groups and every right that comes with it, for good.
pub(super) fn drop_root() -> Result<(), Error> {
    let (user, group) = (Uid::from_raw(NOBODY), Gid::from_raw(NOBODY));
    // One thread only, so what is the thread's is the process's.
    rustix::thread::set_thread_groups(&[]).map_err(failed("leave root's groups"))?;
    rustix::thread::set_thread_res_gid(group, group, group)
        .map_err(failed("change to a group without rights"))?;
    rustix::thread::set_thread_res_uid(user, user, user)
        .map_err(failed("change to a user without rights"))?;
    drop_rights()
}

/// Gives up every capability, those that a user namespace gave included.
pub(super) fn drop_rights() -> Result<(), Error> {
    let none = CapabilitySets {
        effective: CapabilitySet::empty(),
        permitted: CapabilitySet::empty(),
        inheritable: CapabilitySet::empty(),
    };
    rustix::thread::clear_ambient_capability_set().map_err(failed("give up ambient rights"))?;
    rustix::thread::set_capabilities(None, none).map_err(failed("give up all rights"))
}

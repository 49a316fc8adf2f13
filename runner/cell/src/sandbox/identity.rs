//! Who the process is to the kernel: nobody, with no rights.

use std::fs;

use rustix::process::{Gid, Uid};
use rustix::thread::{CapabilitySet, CapabilitySets};

use super::{Error, failed};

/// The id that a cell of a runner that is root gets: the kernel's own for ids that have no meaning
/// (`overflowuid`), which owns nothing on any system.
const NOBODY: u32 = 65_534;

/// Whether the process can change to nobody: it is root, and not only of a user namespace that
/// knows nobody, or lets nobody leave its groups.
pub(super) fn may_become_nobody() -> bool {
    let knows = |map: &str| fs::read_to_string(map).map_or(true, |map| has_nobody(&map));
    let stays = fs::read_to_string("/proc/self/setgroups").is_ok_and(|word| word.trim() == "deny");
    let known = || knows("/proc/self/uid_map") && knows("/proc/self/gid_map");
    rustix::process::geteuid().is_root() && !stays && known()
}

/// Whether a map of ids (`user_namespaces(7)`: first id inside, first id outside, how many) has
/// nobody's.
fn has_nobody(map: &str) -> bool {
    map.lines().any(|line| {
        let mut numbers = line.split_whitespace().map(|word| word.parse().unwrap_or(0_u64));
        let (first, _, count) = (numbers.next(), numbers.next(), numbers.next());
        let (first, count) = (first.unwrap_or_default(), count.unwrap_or_default());
        (first..first + count).contains(&u64::from(NOBODY))
    })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_of_ids_says_whether_there_is_nobody() {
        assert!(has_nobody("         0          0 4294967295\n"));
        assert!(has_nobody("0 1000 1\n1 100000 65536\n"));
        assert!(!has_nobody("0 1000 1\n"));
        assert!(!has_nobody("0 100000 65534\n"));
        assert!(!has_nobody(""));
    }
}

//! Makes libgit2 independent of the machine it runs on, once per process.

use std::sync::Once;

use git2::{ConfigLevel, opts};

static PREPARED: Once = Once::new();

/// Prepares libgit2; every use of it comes after this.
///
/// No configuration of the machine or of a user is read: `url.insteadOf` and its like must not
/// change what a runner does. The owner of a repository is not checked: the check protects tools
/// that run programs named in a repository's configuration and that search parent folders for a
/// repository; this one runs none and opens exactly the folder that the operator named, which in
/// a container regularly belongs to another user.
#[expect(
    unsafe_code,
    reason = "libgit2's settings are process-wide; `Once` serialises the writes, and nothing reads them before"
)]
pub(crate) fn prepare() {
    PREPARED.call_once(|| {
        let levels =
            [ConfigLevel::System, ConfigLevel::Global, ConfigLevel::XDG, ConfigLevel::ProgramData];
        for level in levels {
            // SAFETY: no other thread is inside libgit2: whoever wants to waits for this `Once`.
            // An error can only mean that the platform does not have the level.
            drop(unsafe { opts::set_search_path(level, "") });
        }
        // SAFETY: as above.
        drop(unsafe { opts::set_verify_owner_validation(false) });
    });
}

//! What a process has from whoever started it: an environment, descriptors, a parent.

use std::io;
use std::os::fd::BorrowedFd;

use rustix::process::{Pid, Signal};

use super::{Error, failed};

#[expect(unsafe_code, reason = "changing the environment is sound while there is one thread")]
#[expect(clippy::disallowed_methods, reason = "the names are read to be removed")]
pub(super) fn clear_environment() {
    for (name, _) in std::env::vars_os() {
        // SAFETY: this is called before any other thread is started.
        unsafe { std::env::remove_var(name) };
    }
}

/// Closes everything but the socket (0) and the diagnostics' pipe (2).
#[expect(unsafe_code, reason = "inherited descriptors have no owner in this process")]
pub(super) fn close_descriptors() -> io::Result<()> {
    let listed: Vec<i32> = std::fs::read_dir("/proc/self/fd")?
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|fd| !matches!(fd, 0 | 2))
        .collect();
    for fd in listed {
        // SAFETY: nothing in this process owns a descriptor besides 0 and 2 yet. The one that
        // listed the others is closed by now, which is asked for before it is closed.
        unsafe {
            if rustix::io::fcntl_getfd(BorrowedFd::borrow_raw(fd)).is_ok() {
                rustix::io::close(fd);
            }
        }
    }
    Ok(())
}

/// The kernel kills this process when the thread that started it ends. A parent that was gone
/// before is noticed by the change of parent, or by the end of the socket.
pub(super) fn die_with(parent: Option<Pid>) -> Result<(), Error> {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))
        .map_err(failed("die with the runner"))?;
    if rustix::process::getppid() == parent {
        Ok(())
    } else {
        Err(failed("find the runner")(io::Error::from(io::ErrorKind::NotFound)))
    }
}

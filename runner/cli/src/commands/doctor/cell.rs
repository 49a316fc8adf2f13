//! Whether a cell can be started, and how well it is walled in.

use std::io::{self, Read as _};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use signalbox_cell::protocol::{FromCell, read_frame};
use signalbox_core::isolation::Level;

use super::check::Check;
use crate::runner::cell_program;

/// Memory of the cell that is tried, in bytes.
const MEMORY: u64 = 128 << 20;
/// What can be done about a level below the highest.
const WEAK: &str = "L3 needs namespaces: is `user.max_user_namespaces` 0, or does a container or \
    AppArmor forbid them? See docs/operations/isolation.md";

/// Starts a cell as the runner would, and waits until it is ready.
pub(super) fn starts(patience: Duration) -> Check {
    const NAME: &str = "cell";
    match isolation(patience) {
        Ok((level, landlock)) => {
            let landlock = if landlock { "with landlock" } else { "without landlock" };
            let found = format!("starts, at isolation level L{level}, {landlock}");
            if level >= Level::L3.number() {
                Check::ok(NAME, found)
            } else {
                Check::warn(NAME, found).help(WEAK)
            }
        }
        Err(error) => Check::fail(NAME, format!("cannot be started: {error}"))
            .help("scripts run in processes of their own; is a limit on processes set?"),
    }
}

fn isolation(patience: Duration) -> io::Result<(u8, bool)> {
    let (mut ours, theirs) = UnixStream::pair()?;
    let (program, arguments) = cell_program();
    let mut cell = Command::new(program)
        .args(arguments)
        .args(["--memory", &MEMORY.to_string()])
        .args(["--isolation", &Level::L1.to_string()])
        .env_clear()
        .stdin(OwnedFd::from(theirs))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    let level = first_frame(&mut ours, patience);
    end(&mut cell);
    level
}

fn first_frame(socket: &mut UnixStream, patience: Duration) -> io::Result<(u8, bool)> {
    let deadline = Instant::now() + patience;
    let mut bytes = Vec::new();
    let mut part = [0; 4096];
    loop {
        let frame: Option<(FromCell, usize)> = read_frame(&bytes).map_err(io::Error::other)?;
        match frame {
            Some((FromCell::Ready { isolation, landlock }, _)) => return Ok((isolation, landlock)),
            Some(_) => {
                return Err(io::Error::other("it said something else than that it is ready"));
            }
            None => {}
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::Error::other("it was not ready in time"));
        }
        socket.set_read_timeout(Some(left))?;
        match socket.read(&mut part) {
            Ok(0) => return Err(io::Error::other("it ended before it was ready")),
            Ok(length) => bytes.extend_from_slice(&part[..length]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
}

fn end(cell: &mut Child) {
    // It may have ended by itself; then there is nothing to kill, and its end is still to be taken.
    cell.kill().unwrap_or_default();
    drop(cell.wait());
}

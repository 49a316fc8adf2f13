//! The process of a cell: started, killed, waited for.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{self, Command, Stdio};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::mpsc as std_mpsc;
use std::time::Duration;

use rustix::param::clock_ticks_per_second;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use signalbox_core::isolation::Level;
use tokio::net::UnixStream;
use tokio::sync::oneshot;

use crate::doors::{Cell, Cells, Ended, Later, Place, Process};

/// How much of what a cell said at its end is kept.
const LAST_WORDS: usize = 2048;

/// A process that was started as a cell.
#[derive(Debug)]
struct Child {
    process: Option<process::Child>,
    pidfd: OwnedFd,
    /// What it says to people, which is nothing as long as it is well.
    stderr: UnixStream,
    /// The niceness of the runner.
    runner: i32,
}

impl Process for Child {
    fn kill(&self) {
        // It fails only for a process that has ended.
        pidfd_send_signal(&self.pidfd, Signal::KILL).ok();
    }

    fn reap(&mut self) -> Later<'_, Ended> {
        Box::pin(self.killed())
    }

    fn computed(&self) -> Option<Duration> {
        let pid = self.process.as_ref()?.id();
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        computed(&stat, clock_ticks_per_second())
    }

    fn stand(&self, place: Place) -> bool {
        let Some(child) = &self.process else { return false };
        let nice = self.runner + steps(place);
        // Every thread of a process has its own: only a group can be told as a whole.
        rustix::process::setpriority_pgrp(Some(Pid::from_child(child)), nice).is_ok()
    }
}

/// How far behind the runner a cell stands, in the kernel's steps of niceness: each is worth a
/// quarter more of the processor to whoever is before it.
fn steps(place: Place) -> i32 {
    match place {
        Place::Usual => 10,
        Place::Back => 19,
    }
}

/// The time in user and kernel mode, from the line that the kernel has on a process.
fn computed(stat: &str, ticks_per_second: u64) -> Option<Duration> {
    // The name before them may have any characters in it.
    let fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11).take(2);
    let ticks = fields.map(str::parse::<u64>).sum::<Result<u64, _>>().ok()?;
    Some(Duration::from_millis(ticks * 1000 / ticks_per_second.max(1)))
}

impl Child {
    async fn killed(&mut self) -> Ended {
        use std::os::unix::process::ExitStatusExt as _;
        self.kill();
        let mut said = [0; LAST_WORDS];
        let length = self.stderr.try_read(&mut said).unwrap_or(0);
        let said = String::from_utf8_lossy(&said[..length]).trim().to_owned();
        let child = self.process.take();
        let waited = tokio::task::spawn_blocking(move || child.map(|mut child| child.wait()));
        let status = waited.await.ok().flatten().and_then(Result::ok);
        Ended {
            signal: status.and_then(|status| status.signal()),
            code: status.and_then(|status| status.code()),
            said,
        }
    }
}

/// What a cell is started with, and who asked for it.
#[derive(Debug)]
struct Order {
    memory: u64,
    least: Level,
    reply: oneshot::Sender<io::Result<Parts>>,
}

#[derive(Debug)]
struct Parts {
    child: process::Child,
    pidfd: OwnedFd,
    socket: std::os::unix::net::UnixStream,
    stderr: std::os::unix::net::UnixStream,
}

/// Starts cells, all from one thread that lives as long as the runner: the kernel kills a cell
/// when the *thread* that started it ends.
#[derive(Debug)]
pub(crate) struct Spawner {
    orders: std_mpsc::Sender<Order>,
    /// The number of the isolation level below which a cell must not take work.
    least: AtomicU8,
}

impl Spawner {
    /// Starts the thread; cells are this program with these first arguments, and take no work
    /// below this level.
    pub(crate) fn start(
        program: (PathBuf, Vec<String>),
        least: Level,
    ) -> Result<Self, crate::Error> {
        let (orders, inbox) = std_mpsc::channel::<Order>();
        std::thread::Builder::new()
            .name("cell-spawner".to_owned())
            .spawn(move || {
                for Order { memory, least, reply } in inbox {
                    // Whoever asked may have gone; its child is then dropped and dies with us.
                    drop(reply.send(start(&program, memory, least)));
                }
            })
            .map_err(|source| crate::Error::Host {
                what: "start the thread that starts cells".to_owned(),
                source,
            })?;
        Ok(Self { orders, least: AtomicU8::new(least.number()) })
    }

    /// From now on a cell that is less walled in takes no work. What one cell reached, every other
    /// can: the kernel does not change, and a passing shortage must not make a cell weaker.
    pub(crate) fn demand(&self, least: Level) {
        self.least.fetch_max(least.number(), Ordering::Relaxed);
    }

    fn least(&self) -> Level {
        let number = self.least.load(Ordering::Relaxed);
        Level::ALL.into_iter().find(|level| level.number() == number).unwrap_or(Level::L3)
    }

    async fn spawn(&self, memory: u64) -> io::Result<Cell> {
        let gone = || io::Error::other("the thread that starts cells is gone");
        let (reply, parts) = oneshot::channel();
        self.orders.send(Order { memory, least: self.least(), reply }).map_err(|_| gone())?;
        let Parts { child, pidfd, socket, stderr } = parts.await.map_err(|_| gone())??;
        let stderr = UnixStream::from_std(stderr)?;
        let (reader, writer) = UnixStream::from_std(socket)?.into_split();
        let runner = rustix::process::getpriority_process(None).unwrap_or(0);
        let process = Box::new(Child { process: Some(child), pidfd, stderr, runner });
        Ok(Cell { process, reader: Box::new(reader), writer: Box::new(writer) })
    }
}

impl Cells for Spawner {
    fn start(&self, memory: u64) -> Later<'_, io::Result<Cell>> {
        Box::pin(self.spawn(memory))
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place that starts cells")]
fn start(
    (program, arguments): &(PathBuf, Vec<String>),
    memory: u64,
    least: Level,
) -> io::Result<Parts> {
    let (socket, theirs) = std::os::unix::net::UnixStream::pair()?;
    let (stderr, their_stderr) = std::os::unix::net::UnixStream::pair()?;
    socket.set_nonblocking(true)?;
    stderr.set_nonblocking(true)?;
    let mut child = Command::new(program)
        .args(arguments)
        .args(["--memory", &memory.to_string(), "--isolation", &least.to_string()])
        .env_clear()
        .process_group(0)
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .stdout(Stdio::null())
        .stderr(Stdio::from(OwnedFd::from(their_stderr)))
        .spawn()?;
    match pidfd_open(Pid::from_child(&child), PidfdFlags::empty()) {
        Ok(pidfd) => Ok(Parts { child, pidfd, socket, stderr }),
        Err(error) => {
            child.kill()?;
            child.wait()?;
            Err(error.into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_process_has_computed_is_read_whatever_its_name_is() {
        let stat = "7 (a b) c) R 1 7 7 0 -1 4194560 1 0 0 0 250 50 9 9 20 0 1 0 1 1 1";
        assert_eq!(computed(stat, 100), Some(Duration::from_secs(3)));
        assert_eq!(computed("7 (a) R 1", 100), Some(Duration::ZERO));
        assert_eq!(computed("", 100), None);
    }
}

//! The process of a cell: started, killed, waited for.

use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::{self, Command, Stdio};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::mpsc as std_mpsc;

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use signalbox_core::isolation::Level;
use tokio::net::UnixStream;
use tokio::sync::oneshot;

use crate::doors::{Cell, Cells, Ended, Later, Process};

/// How much of what a cell said at its end is kept.
const LAST_WORDS: usize = 2048;

/// A process that was started as a cell.
#[derive(Debug)]
struct Child {
    process: Option<process::Child>,
    pidfd: OwnedFd,
    /// What it says to people, which is nothing as long as it is well.
    stderr: UnixStream,
}

impl Process for Child {
    fn kill(&self) {
        // It fails only for a process that has ended.
        pidfd_send_signal(&self.pidfd, Signal::KILL).ok();
    }

    fn reap(&mut self) -> Later<'_, Ended> {
        Box::pin(self.killed())
    }
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
        let process = Box::new(Child { process: Some(child), pidfd, stderr });
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

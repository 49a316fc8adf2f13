//! The process of a cell: started, killed, waited for.

use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc as std_mpsc;
use std::{fmt, io};

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use tokio::net::UnixStream;
use tokio::sync::oneshot;

/// How much of what a cell said at its end is kept.
const LAST_WORDS: usize = 2048;

/// What a cell is started with.
#[derive(Debug, Clone)]
pub(crate) struct Recipe {
    /// The program and its first arguments.
    pub(crate) program: (PathBuf, Vec<String>),
    /// Bytes of memory it may have.
    pub(crate) memory: u64,
}

/// A process that was started as a cell.
#[derive(Debug)]
pub(crate) struct Process {
    child: Option<Child>,
    pidfd: OwnedFd,
    /// What it says to people, which is nothing as long as it is well.
    stderr: UnixStream,
}

/// How a cell ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ended {
    signal: Option<i32>,
    code: Option<i32>,
    said: String,
}

impl Ended {
    /// Whether somebody killed it.
    pub(crate) fn is_kill(&self) -> bool {
        self.signal == Some(Signal::KILL.as_raw())
    }

    /// Whether it gave up by itself: no memory, or no stack.
    pub(crate) fn is_abort(&self) -> bool {
        self.signal == Some(Signal::ABORT.as_raw())
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.signal, self.code) {
            (Some(signal), _) => write!(f, "signal {signal}")?,
            (None, Some(code)) => write!(f, "exit code {code}")?,
            (None, None) => write!(f, "unknown end")?,
        }
        if self.said.is_empty() { Ok(()) } else { write!(f, ", it said: {}", self.said) }
    }
}

impl Process {
    /// Ends it, whatever it does.
    pub(crate) fn kill(&self) {
        // It fails only for a process that has ended.
        pidfd_send_signal(&self.pidfd, Signal::KILL).ok();
    }

    /// Kills it, waits for its end and says how it came. A cell that was already dying keeps the
    /// end that it had.
    pub(crate) async fn reap(&mut self) -> Ended {
        use std::os::unix::process::ExitStatusExt as _;
        self.kill();
        let mut said = [0; LAST_WORDS];
        let length = self.stderr.try_read(&mut said).unwrap_or(0);
        let said = String::from_utf8_lossy(&said[..length]).trim().to_owned();
        let child = self.child.take();
        let waited = tokio::task::spawn_blocking(move || child.map(|mut child| child.wait()));
        let status = waited.await.ok().flatten().and_then(Result::ok);
        Ended {
            signal: status.and_then(|status| status.signal()),
            code: status.and_then(|status| status.code()),
            said,
        }
    }
}

type Order = (Recipe, oneshot::Sender<io::Result<Parts>>);

#[derive(Debug)]
struct Parts {
    child: Child,
    pidfd: OwnedFd,
    socket: std::os::unix::net::UnixStream,
    stderr: std::os::unix::net::UnixStream,
}

/// Starts cells, all from one thread that lives as long as the runner: the kernel kills a cell
/// when the *thread* that started it ends.
#[derive(Debug)]
pub(crate) struct Spawner {
    orders: std_mpsc::Sender<Order>,
}

impl Spawner {
    /// Starts the thread.
    pub(crate) fn start() -> Result<Self, crate::Error> {
        let (orders, inbox) = std_mpsc::channel::<Order>();
        std::thread::Builder::new()
            .name("cell-spawner".to_owned())
            .spawn(move || {
                for (recipe, reply) in inbox {
                    // Whoever asked may have gone; its child is then dropped and dies with us.
                    drop(reply.send(start(&recipe)));
                }
            })
            .map_err(|source| crate::Error::Host {
                what: "start the thread that starts cells".to_owned(),
                source,
            })?;
        Ok(Self { orders })
    }

    /// Starts a cell.
    pub(crate) async fn spawn(&self, recipe: Recipe) -> io::Result<(Process, UnixStream)> {
        let gone = || io::Error::other("the thread that starts cells is gone");
        let (reply, parts) = oneshot::channel();
        self.orders.send((recipe, reply)).map_err(|_| gone())?;
        let Parts { child, pidfd, socket, stderr } = parts.await.map_err(|_| gone())??;
        let stderr = UnixStream::from_std(stderr)?;
        Ok((Process { child: Some(child), pidfd, stderr }, UnixStream::from_std(socket)?))
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place that starts cells")]
fn start(recipe: &Recipe) -> io::Result<Parts> {
    let (socket, theirs) = std::os::unix::net::UnixStream::pair()?;
    let (stderr, their_stderr) = std::os::unix::net::UnixStream::pair()?;
    socket.set_nonblocking(true)?;
    stderr.set_nonblocking(true)?;
    let (program, arguments) = &recipe.program;
    let mut child = Command::new(program)
        .args(arguments)
        .args(["--memory", &recipe.memory.to_string()])
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

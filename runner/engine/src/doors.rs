//! The doors through which an engine reaches the machine: cells, moments of the wall clock,
//! randomness. What time it is comes in with the options; waiting for so long is tokio's timer.
//!
//! A runner uses those of the machine. A simulation brings its own,
//! and runs the same engine over them.

use std::fmt::Debug;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::Signal;
use signalbox_core::clock::{Clock, Timestamp};
use tokio::io::{AsyncRead, AsyncWrite};

/// An answer that takes its time.
pub type Later<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Everything that an engine does to the machine, besides its store, its source and the network.
#[derive(Debug, Clone)]
pub struct Doors {
    /// Starts cells.
    pub cells: Arc<dyn Cells>,
    /// Waits for moments of the wall clock.
    pub alarms: Arc<dyn Alarms>,
    /// Where ids and seeds come from. The key of secrets is always the kernel's.
    pub random: Arc<dyn Random>,
}

/// Starts cells.
pub trait Cells: Send + Sync + Debug {
    /// Starts one that may have so many bytes of memory.
    fn start(&self, memory: u64) -> Later<'_, io::Result<Cell>>;
}

/// A cell that was started: it says that it is ready when it is.
pub struct Cell {
    /// Who can end it.
    pub process: Box<dyn Process>,
    /// What it says.
    pub reader: Box<dyn AsyncRead + Send + Sync + Unpin>,
    /// What it is told.
    pub writer: Box<dyn AsyncWrite + Send + Sync + Unpin>,
}

impl Debug for Cell {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cell").field("process", &self.process).finish_non_exhaustive()
    }
}

/// The process of a cell.
pub trait Process: Send + Sync + Debug {
    /// Ends it, whatever it does.
    fn kill(&self);

    /// Kills it, waits for its end and says how it came. A cell that was already dying keeps the
    /// end that it had.
    fn reap(&mut self) -> Later<'_, Ended>;

    /// How long it has computed in all, the time it waited for the processor not included. `None`
    /// when nobody knows.
    fn computed(&self) -> Option<Duration>;

    /// Has it stand there whenever the processors are wanted by more than there are. Answers
    /// whether it does.
    fn stand(&self, place: Place) -> bool;
}

/// Where a cell stands among those who want a processor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Behind the runner.
    Usual,
    /// Behind other cells, too.
    Back,
}

/// How a cell ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// The signal that ended it.
    pub(crate) signal: Option<i32>,
    /// Its exit code.
    pub(crate) code: Option<i32>,
    /// What it said to people at its end.
    pub(crate) said: String,
}

impl Ended {
    /// The end of a cell that somebody killed.
    pub fn killed() -> Self {
        Self { signal: Some(Signal::KILL.as_raw()), code: None, said: String::new() }
    }

    /// Whether somebody killed it.
    pub(crate) fn is_kill(&self) -> bool {
        self.signal == Some(Signal::KILL.as_raw())
    }

    /// Whether it gave up by itself: no memory, or no stack.
    pub(crate) fn is_abort(&self) -> bool {
        self.signal == Some(Signal::ABORT.as_raw())
    }
}

impl std::fmt::Display for Ended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.signal, self.code) {
            (Some(signal), _) => write!(f, "signal {signal}")?,
            (None, Some(code)) => write!(f, "exit code {code}")?,
            (None, None) => write!(f, "unknown end")?,
        }
        if self.said.is_empty() { Ok(()) } else { write!(f, ", it said: {}", self.said) }
    }
}

/// Makes alarms.
pub trait Alarms: Send + Sync + Debug {
    /// An alarm on this clock.
    fn alarm(&self, clock: Arc<dyn Clock>) -> io::Result<Box<dyn Alarm>>;
}

/// Waits for moments of the wall clock, through jumps of the clock.
pub trait Alarm: Send + Sync + Debug {
    /// Resolves when the moment has come or the clock was set: the caller looks at the clock
    /// again. Never resolves for `None`.
    fn until(&mut self, moment: Option<Timestamp>) -> Later<'_, ()>;
}

/// A source of random bytes.
pub trait Random: Send + Sync + Debug {
    /// Fills all of it.
    fn fill(&self, bytes: &mut [u8]) -> io::Result<()>;
}

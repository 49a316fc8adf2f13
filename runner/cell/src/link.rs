//! The cell's socket, with what came in and has not been looked at and what waits to be sent.
//!
//! One thread does everything: it reads when it needs a frame, and looks for news while it
//! evaluates. Recalls and stops are obeyed the moment they are seen, whatever is in line before.

use std::collections::{BTreeMap, VecDeque};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use rustix::buffer::spare_capacity;
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags};
use signalbox_core::journal::{Key, Outcome};

use crate::protocol::{FromCell, ToCell, read_frame, write_frame};

/// How much is read at once, at least, when there is so much.
const READ: usize = 64 << 10;
/// What has been written waits for so long at most while there is other work.
const LINGER: Duration = Duration::from_millis(1);
/// Written frames are sent when there is this much of them.
const FULL: usize = 256 << 10;

/// The two directions of the socket.
pub(crate) struct Link {
    socket: Box<dyn AsFd>,
    inbound: Vec<u8>,
    /// How much of `inbound` has become frames.
    taken: usize,
    outbound: Vec<u8>,
    sent: Instant,
    queue: VecDeque<ToCell>,
    /// The run that is evaluated.
    current: Option<u32>,
    unwind: bool,
    /// Outcomes of its effects that nobody has looked at.
    outcomes: BTreeMap<Key, Outcome>,
    /// How many were looked at.
    seen: u32,
    closed: bool,
}

impl Link {
    pub(crate) fn new(socket: Box<dyn AsFd>) -> Self {
        Self {
            socket,
            inbound: Vec::with_capacity(READ),
            taken: 0,
            outbound: Vec::with_capacity(READ),
            sent: Instant::now(),
            queue: VecDeque::new(),
            current: None,
            unwind: false,
            outcomes: BTreeMap::new(),
            seen: 0,
            closed: false,
        }
    }

    /// Says which run is evaluated from now on.
    pub(crate) fn set_current(&mut self, run: Option<u32>) {
        self.current = run;
        self.unwind = false;
        self.outcomes.clear();
        self.seen = 0;
    }

    /// How many outcomes of the current run were taken.
    pub(crate) fn seen(&self) -> u32 {
        self.seen
    }

    /// Whether the runner is gone, or cannot be understood.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed
    }

    /// Whether the present run was asked to stop.
    pub(crate) fn must_unwind(&self) -> bool {
        self.unwind
    }

    /// Puts a frame in line. A frame over the bound is a defect of the cell: its run could never
    /// end, so the link is given up.
    pub(crate) fn push(&mut self, frame: &FromCell) {
        if write_frame(frame, &mut self.outbound).is_err() {
            self.closed = true;
        }
        if self.outbound.len() >= FULL {
            self.flush();
        }
    }

    /// Sends what is in line when it has waited for long enough.
    pub(crate) fn flush_if_due(&mut self) {
        if !self.outbound.is_empty() && self.sent.elapsed() >= LINGER {
            self.flush();
        }
    }

    /// Sends what is in line.
    pub(crate) fn flush(&mut self) {
        let mut done = 0;
        while done < self.outbound.len() && !self.closed {
            match rustix::net::send(&self.socket, &self.outbound[done..], SendFlags::NOSIGNAL) {
                Ok(count) => done += count,
                Err(Errno::INTR) => {}
                Err(_) => self.closed = true,
            }
        }
        self.outbound.clear();
        self.sent = Instant::now();
    }

    /// Takes in whatever has come, without waiting.
    pub(crate) fn poll(&mut self) {
        while self.receive(RecvFlags::DONTWAIT) {}
    }

    /// The next frame in line; waits for one. `None` when the runner is gone.
    pub(crate) fn next_frame(&mut self) -> Option<ToCell> {
        loop {
            if let Some(frame) = self.queue.pop_front() {
                return Some(frame);
            }
            if self.closed {
                self.flush();
                return None;
            }
            self.receive(RecvFlags::DONTWAIT);
            if self.queue.is_empty() && !self.closed {
                self.flush();
                self.receive(RecvFlags::empty());
            }
        }
    }

    /// Waits for the outcome of an effect that was asked for. `None` when the run must stop.
    pub(crate) fn wait_outcome(&mut self, key: &Key) -> Option<Outcome> {
        self.flush();
        loop {
            if self.unwind || self.closed {
                return None;
            }
            if let Some(outcome) = self.outcomes.remove(key) {
                self.seen = self.seen.saturating_add(1);
                return Some(outcome);
            }
            self.receive(RecvFlags::empty());
        }
    }

    /// Outcomes that have come.
    pub(crate) fn take_outcomes(&mut self) -> Vec<(Key, Outcome)> {
        self.seen =
            self.seen.saturating_add(u32::try_from(self.outcomes.len()).unwrap_or(u32::MAX));
        std::mem::take(&mut self.outcomes).into_iter().collect()
    }

    /// Waits for any outcome. Answers whether there is one; if not, the run must stop.
    pub(crate) fn wait_any(&mut self) -> bool {
        self.flush();
        loop {
            if self.unwind || self.closed {
                return false;
            }
            if !self.outcomes.is_empty() {
                return true;
            }
            self.receive(RecvFlags::empty());
        }
    }

    /// Reads once. Answers whether there may be more.
    fn receive(&mut self, flags: RecvFlags) -> bool {
        if self.closed {
            return false;
        }
        self.inbound.reserve(READ);
        let read = rustix::net::recv(&self.socket, spare_capacity(&mut self.inbound), flags);
        let count = match read {
            Ok((_, count)) => count,
            Err(Errno::INTR | Errno::AGAIN) => return false,
            Err(_) => 0,
        };
        self.closed = count == 0;
        self.take_frames();
        count >= READ
    }

    fn take_frames(&mut self) {
        loop {
            match read_frame::<ToCell>(&self.inbound[self.taken..]) {
                Ok(Some((frame, length))) => {
                    self.taken += length;
                    self.sort_in(frame);
                }
                Ok(None) => break,
                Err(_) => {
                    self.closed = true;
                    break;
                }
            }
        }
        self.inbound.drain(..self.taken);
        self.taken = 0;
    }

    /// Obeys what must be obeyed at once and puts the rest in line.
    fn sort_in(&mut self, frame: ToCell) {
        match frame {
            ToCell::Unwind { run } if self.current == Some(run) => self.unwind = true,
            ToCell::Unwind { run } => {
                if !self.give_back(|queued| queued == run).is_empty() {
                    self.push(&FromCell::Unwound { run });
                }
            }
            ToCell::Recall => {
                let runs = self.give_back(|_| true);
                self.push(&FromCell::Returned { runs });
                self.flush();
            }
            ToCell::Outcome { run, key, outcome } if self.current == Some(run) => {
                self.outcomes.insert(key, outcome);
            }
            // Of a run that was stopped while its effect was under way.
            ToCell::Outcome { .. } => {}
            frame => self.queue.push_back(frame),
        }
    }

    /// Takes runs that have not begun out of the line, with their journals.
    fn give_back(&mut self, wanted: impl Fn(u32) -> bool) -> Vec<u32> {
        let mut runs = Vec::new();
        self.queue.retain(|frame| match frame {
            ToCell::Start(start) if wanted(start.run) => {
                runs.push(start.run);
                false
            }
            ToCell::Journal { run, .. } => !wanted(*run),
            _ => true,
        });
        runs
    }
}

//! Cells in threads of this process, each behind a pump that loses it at some frame.
//!
//! The code is that of a cell, without its sandbox. The pump follows the protocol: it knows when a
//! cell owes frames, and waits for those on the runtime's one thread. So no simulated time passes
//! while a cell computes, and nothing depends on how fast it does.

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

use signalbox_cell::protocol::{FromCell, Request, Start, ToCell, read_frame, write_frame};
use signalbox_core::RunId;
use signalbox_engine::doors::{Cell, Cells, Ended, Later, Place, Process};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio::sync::Notify;

use crate::catalogue::DEADLY;
use crate::clock::SimClock;
use crate::faults::Faults;
use crate::model::Model;

/// How long a cell may compute, in real time, before the simulation gives up.
const PATIENCE: Duration = Duration::from_mins(1);
/// Bytes on their way in one direction.
const PIPE: usize = 4 << 20;

/// Starts cells.
#[derive(Debug)]
pub(crate) struct SimCells {
    pub(crate) faults: Arc<Faults>,
    pub(crate) model: Model,
}

impl Cells for SimCells {
    fn start(&self, _memory: u64) -> Later<'_, io::Result<Cell>> {
        Box::pin(async {
            tokio::time::sleep(self.faults.dice.millis(20)).await;
            if self.faults.is_crashed() {
                return std::future::pending().await;
            }
            if self.faults.happens(self.faults.rates.no_cell) {
                self.faults.disturb();
                self.faults.trace.met("a cell is not started");
                return Err(io::Error::other("a fault of the simulation"));
            }
            let (engines, pumps) = tokio::io::duplex(PIPE);
            let killed = Arc::new(Notify::new());
            let pump = Pump {
                faults: Arc::clone(&self.faults),
                model: self.model.clone(),
                engine: pumps,
                thread: Thread::spawn(self.faults.clock())?,
                killed: Arc::clone(&killed),
            };
            tokio::spawn(pump.run());
            let (reader, writer) = tokio::io::split(engines);
            let process = Box::new(SimProcess { killed });
            Ok(Cell { process, reader: Box::new(reader), writer: Box::new(writer) })
        })
    }
}

#[derive(Debug)]
struct SimProcess {
    killed: Arc<Notify>,
}

impl Process for SimProcess {
    fn kill(&self) {
        self.killed.notify_one();
    }

    fn reap(&mut self) -> Later<'_, Ended> {
        self.kill();
        Box::pin(std::future::ready(Ended::killed()))
    }

    /// Nothing is known of threads' time, and nothing may depend on it.
    fn computed(&self) -> Option<Duration> {
        None
    }

    fn stand(&self, _: Place) -> bool {
        true
    }
}

/// Stands between an engine and a cell.
struct Pump {
    faults: Arc<Faults>,
    model: Model,
    engine: DuplexStream,
    thread: Thread,
    killed: Arc<Notify>,
}

impl Pump {
    /// Carries frames until the engine or the cell is gone.
    async fn run(mut self) {
        let mut inbound = Vec::new();
        loop {
            for frame in self.thread.owed() {
                if !self.hand_over(frame).await {
                    return;
                }
            }
            let killed = Arc::clone(&self.killed);
            self.faults.now();
            tokio::select! {
                biased;
                () = killed.notified() => return,
                read = self.engine.read_buf(&mut inbound) => if read.unwrap_or(0) == 0 { return },
            }
            let mut frames = Vec::new();
            while let Ok(Some((frame, taken))) = read_frame::<ToCell>(&inbound) {
                inbound.drain(..taken);
                frames.push(frame);
            }
            self.thread.send(frames);
            let way = if self.faults.happens(self.faults.rates.slow) { 120 } else { 1 };
            tokio::time::sleep(self.faults.dice.millis(way)).await;
        }
    }

    /// Gives a frame to the engine. Answers false when the cell is lost at it.
    async fn hand_over(&mut self, frame: FromCell) -> bool {
        if self.faults.is_crashed() {
            return std::future::pending().await;
        }
        let deadly = matches!(&frame, FromCell::Effect(effect)
            if matches!(&effect.request, Request::StateGet { name } if name == DEADLY));
        let lost = self.thread.evaluates && self.faults.happens(self.faults.rates.lost_cell);
        if deadly || lost {
            self.faults.disturb();
            self.faults.trace.met(&format!("a cell is lost before {}", name_of(&frame)));
            self.thread.held.values().for_each(|run| self.model.lost_cell(run));
            return false;
        }
        if let FromCell::Ended { run, .. } | FromCell::Unwound { run } = &frame {
            self.thread.held.remove(run);
        }
        let mut bytes = Vec::new();
        write_frame(&frame, &mut bytes).is_ok() && self.engine.write_all(&bytes).await.is_ok()
    }
}

fn name_of(frame: &FromCell) -> &'static str {
    match frame {
        FromCell::Ready { .. } => "it is ready",
        FromCell::Began { .. } => "a run begins",
        FromCell::Effect(_) => "an effect",
        FromCell::Waiting { .. } => "it waits",
        FromCell::Flush { .. } => "a flush",
        FromCell::Ended { .. } => "an end",
        FromCell::Unwound { .. } => "a run is unwound",
        FromCell::Returned { .. } => "runs come back",
        FromCell::Facts(_) | FromCell::Checked => "facts",
    }
}

/// The thread of a cell, and what it owes. It ends when its socket is closed.
#[derive(Debug)]
struct Thread {
    socket: UnixStream,
    inbound: Vec<u8>,
    /// Answers that it owes besides the ends of runs: that it is ready, runs that it gives back,
    /// the end of a check.
    owes: u32,
    /// Runs that were started and have not ended; the first is evaluated.
    runs: VecDeque<u32>,
    /// Runs whose end the engine has not heard of.
    held: BTreeMap<u32, RunId>,
    /// The first run waits for the outcome of an effect.
    waiting: bool,
    /// Whether it ever got a run. One that checks scripts is not lost: whatever kills it is taken
    /// for a fault of the revision, by design.
    evaluates: bool,
}

impl Thread {
    fn spawn(clock: Arc<SimClock>) -> io::Result<Self> {
        let (socket, theirs) = UnixStream::pair()?;
        socket.set_read_timeout(Some(PATIENCE))?;
        std::thread::Builder::new()
            .stack_size(signalbox_cell::STACK)
            .spawn(move || signalbox_cell::run_in_this_thread(theirs, clock))?;
        Ok(Self {
            socket,
            inbound: Vec::new(),
            owes: 1,
            runs: VecDeque::new(),
            held: BTreeMap::new(),
            waiting: false,
            evaluates: false,
        })
    }

    /// All at once: which of them the cell sees first is not a matter of its speed.
    fn send(&mut self, frames: Vec<ToCell>) {
        let mut bytes = Vec::new();
        for frame in frames {
            write_frame(&frame, &mut bytes).expect("what the engine could send fits a frame");
            self.note(frame);
        }
        self.socket.write_all(&bytes).expect("the thread of a cell listens");
    }

    fn note(&mut self, frame: ToCell) {
        match frame {
            ToCell::Start(start) => {
                let Start { run, about, .. } = *start;
                self.runs.push_back(run);
                self.held.insert(run, about.id);
                self.evaluates = true;
            }
            ToCell::Outcome { run, .. } | ToCell::Unwind { run } => {
                self.waiting &= self.runs.front().is_none_or(|first| *first != run);
            }
            ToCell::Recall | ToCell::Check(_) => self.owes += 1,
            ToCell::Source { .. }
            | ToCell::Program { .. }
            | ToCell::Forget { .. }
            | ToCell::Journal { .. } => {}
        }
    }

    /// Waits for every frame that the cell owes.
    fn owed(&mut self) -> Vec<FromCell> {
        let mut frames = Vec::new();
        while self.owes > 0 || self.computes() {
            let frame = self.receive();
            self.follow(&frame);
            frames.push(frame);
        }
        frames
    }

    fn computes(&self) -> bool {
        !self.runs.is_empty() && !self.waiting
    }

    fn follow(&mut self, frame: &FromCell) {
        match frame {
            FromCell::Ready { .. } | FromCell::Checked => self.owes -= 1,
            FromCell::Effect(effect) => self.waiting |= effect.waits,
            FromCell::Waiting { .. } => self.waiting = true,
            FromCell::Ended { run, .. } | FromCell::Unwound { run } => {
                self.waiting &= self.runs.front() != Some(run);
                self.runs.retain(|other| other != run);
            }
            FromCell::Returned { runs } => {
                self.owes -= 1;
                self.runs.retain(|run| !runs.contains(run));
            }
            FromCell::Began { .. } | FromCell::Flush { .. } | FromCell::Facts(_) => {}
        }
    }

    fn receive(&mut self) -> FromCell {
        loop {
            let read = read_frame(&self.inbound).expect("a cell speaks the protocol");
            if let Some((frame, taken)) = read {
                self.inbound.drain(..taken);
                return frame;
            }
            let mut bytes = [0; 16 << 10];
            let count = self.socket.read(&mut bytes).expect("a cell answers");
            assert!(count > 0, "the thread of a cell ended by itself: {self:?}");
            self.inbound.extend_from_slice(&bytes[..count]);
        }
    }
}

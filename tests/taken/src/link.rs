//! The cell's socket, and what can be said over it.

use std::io::{Read as _, Stdin, Write as _};

use anyhow::{Result, bail};
use signalbox_cell::protocol::{Effect, FromCell, Request, ToCell, read_frame, write_frame};
use signalbox_core::Digest;
use signalbox_core::journal::{Chunk, Key, Outcome};

/// The socket that is the process's standard input.
#[derive(Debug)]
pub(crate) struct Link {
    socket: Stdin,
    inbound: Vec<u8>,
    /// The run that asked last, and for how much it did.
    asked: (u32, u32),
}

impl Link {
    pub(crate) fn new() -> Self {
        Self { socket: std::io::stdin(), inbound: Vec::new(), asked: (0, 0) }
    }

    pub(crate) fn say(&mut self, frame: &FromCell) -> Result<()> {
        let mut bytes = Vec::new();
        write_frame(frame, &mut bytes)?;
        self.send(&bytes)
    }

    pub(crate) fn send(&mut self, mut bytes: &[u8]) -> Result<()> {
        while !bytes.is_empty() {
            let sent = rustix::io::write(&self.socket, bytes)?;
            bytes = &bytes[sent..];
        }
        Ok(())
    }

    pub(crate) fn hear(&mut self) -> Result<ToCell> {
        loop {
            if let Some((frame, taken)) = read_frame(&self.inbound)? {
                self.inbound.drain(..taken);
                return Ok(frame);
            }
            let mut bytes = [0; 4 << 10];
            match self.socket.lock().read(&mut bytes)? {
                0 => bail!("the runner is gone"),
                count => self.inbound.extend_from_slice(&bytes[..count]),
            }
        }
    }

    /// The frame of an effect, the next of its run.
    pub(crate) fn effect(&mut self, run: u32, request: Request) -> Effect {
        let (last, count) = self.asked;
        let count = if last == run { count + 1 } else { 1 };
        self.asked = (run, count);
        Effect {
            run,
            chunk: Chunk::default(),
            key: Key { scope: String::new(), attempt: 1, ordinal: count },
            fingerprint: Digest::of(b"whatever it says"),
            waits: true,
            seen: count - 1,
            within: None,
            request,
        }
    }

    /// Asks for an effect and waits for its outcome; pending when the run is stopped before.
    pub(crate) fn ask(&mut self, run: u32, request: Request) -> Result<Outcome> {
        let effect = self.effect(run, request);
        self.say(&FromCell::Effect(Box::new(effect)))?;
        loop {
            match self.hear()? {
                ToCell::Outcome { outcome, .. } => return Ok(outcome),
                ToCell::Unwind { run } => {
                    self.say(&FromCell::Unwound { run })?;
                    return Ok(Outcome::Pending);
                }
                _ => {}
            }
        }
    }

    /// Says something that is no frame, as an error message.
    pub(crate) fn shout(bytes: &[u8]) -> Result<()> {
        Ok(std::io::stderr().write_all(bytes)?)
    }
}

//! The two directions of a cell's socket, with what is on its way.

use std::collections::VecDeque;
use std::io;

use bytes::{Buf as _, BytesMut};
use signalbox_cell::protocol::{FrameError, FromCell, MAX_FRAME, ToCell, read_frame, write_frame};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

/// How much is read at once.
const READ: usize = 64 << 10;
/// How much room is kept for what is to be sent.
const KEPT: usize = 1 << 20;

/// The two directions of a cell's socket.
pub(crate) struct Wire {
    reader: Box<dyn AsyncRead + Send + Sync + Unpin>,
    writer: Box<dyn AsyncWrite + Send + Sync + Unpin>,
    inbox: BytesMut,
    outbox: BytesMut,
    /// Bytes that were put in line and that went out, since the beginning.
    pushed: u64,
    sent: u64,
    /// Where the outcomes end that are in line.
    outcomes: VecDeque<u64>,
}

impl Wire {
    pub(crate) fn new(
        reader: Box<dyn AsyncRead + Send + Sync + Unpin>,
        writer: Box<dyn AsyncWrite + Send + Sync + Unpin>,
    ) -> Self {
        Self {
            reader,
            writer,
            inbox: BytesMut::with_capacity(READ),
            outbox: BytesMut::new(),
            pushed: 0,
            sent: 0,
            outcomes: VecDeque::new(),
        }
    }

    /// Puts a frame in line.
    pub(crate) fn push(&mut self, frame: &ToCell) -> Result<(), FrameError> {
        let mut bytes = Vec::with_capacity(256);
        write_frame(frame, &mut bytes)?;
        self.outbox.extend_from_slice(&bytes);
        self.pushed += bytes.len() as u64;
        if let ToCell::Outcome { .. } = frame {
            self.outcomes.push_back(self.pushed);
        }
        Ok(())
    }

    /// Outcomes that the cell cannot have heard of: its socket is full.
    pub(crate) fn unheard(&mut self) -> usize {
        while self.outcomes.front().is_some_and(|end| *end <= self.sent) {
            self.outcomes.pop_front();
        }
        self.outcomes.len()
    }

    /// The next frame that is there whole.
    pub(crate) fn next_frame(&mut self) -> Result<Option<FromCell>, FrameError> {
        match read_frame(&self.inbox)? {
            Some((frame, taken)) => {
                self.inbox.advance(taken);
                Ok(Some(frame))
            }
            None => Ok(None),
        }
    }

    /// Moves bytes in either direction until something has come in. Answers false at the end of
    /// the stream. Can be dropped at any time without losing anything.
    pub(crate) async fn exchange(&mut self) -> io::Result<bool> {
        loop {
            let Self { reader, writer, inbox, outbox, sent, .. } = self;
            if inbox.capacity() - inbox.len() < READ / 4 {
                inbox.reserve(READ.min(MAX_FRAME));
            }
            let sending = !outbox.is_empty();
            tokio::select! {
                // What is to be sent is bounded; what a cell says need not be.
                biased;
                written = writer.write(outbox), if sending => {
                    let written = written?;
                    outbox.advance(written);
                    *sent += written as u64;
                    // What a large journal took is given back.
                    if outbox.is_empty() && outbox.capacity() > KEPT {
                        *outbox = BytesMut::new();
                    }
                }
                read = reader.read_buf(inbox) => return Ok(read? > 0),
            }
        }
    }
}

impl std::fmt::Debug for Wire {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (inbox, outbox) = (self.inbox.len(), self.outbox.len());
        f.debug_struct("Wire")
            .field("inbox", &inbox)
            .field("outbox", &outbox)
            .finish_non_exhaustive()
    }
}

//! The two directions of a cell's socket, with what is on its way.

use std::io;

use bytes::{Buf as _, BytesMut};
use signalbox_cell::protocol::{FrameError, FromCell, MAX_FRAME, ToCell, read_frame, write_frame};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};

/// How much is read at once.
const READ: usize = 64 << 10;

/// A cell's socket.
#[derive(Debug)]
pub(crate) struct Wire {
    reader: OwnedReadHalf,
    writer: OwnedWriteHalf,
    inbox: BytesMut,
    outbox: BytesMut,
}

impl Wire {
    pub(crate) fn new(socket: UnixStream) -> Self {
        let (reader, writer) = socket.into_split();
        Self { reader, writer, inbox: BytesMut::with_capacity(READ), outbox: BytesMut::new() }
    }

    /// Puts a frame in line.
    pub(crate) fn push(&mut self, frame: &ToCell) -> Result<(), FrameError> {
        let mut bytes = Vec::with_capacity(256);
        write_frame(frame, &mut bytes)?;
        self.outbox.extend_from_slice(&bytes);
        Ok(())
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
            let Self { reader, writer, inbox, outbox } = self;
            if inbox.capacity() - inbox.len() < READ / 4 {
                inbox.reserve(READ.min(MAX_FRAME));
            }
            let sending = !outbox.is_empty();
            tokio::select! {
                read = reader.read_buf(inbox) => return Ok(read? > 0),
                written = writer.write(outbox), if sending => {
                    let written = written?;
                    outbox.advance(written);
                }
            }
        }
    }
}

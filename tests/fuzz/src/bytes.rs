//! Decisions made of bytes.

/// Bytes that are used up from the front; what is not there is zero.
#[derive(Debug)]
pub(crate) struct Bytes<'b>(pub(crate) &'b [u8]);

impl<'b> Bytes<'b> {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn byte(&mut self) -> u8 {
        self.take(1).first().copied().unwrap_or_default()
    }

    /// At most so many bytes.
    pub(crate) fn take(&mut self, count: usize) -> &'b [u8] {
        let (head, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        head
    }

    /// Bytes behind their length.
    pub(crate) fn sized(&mut self) -> &'b [u8] {
        let length = self.byte();
        self.take(usize::from(length))
    }

    /// One of some things.
    pub(crate) fn pick<'t, T>(&mut self, from: &'t [T]) -> &'t T {
        &from[usize::from(self.byte()) % from.len()]
    }
}

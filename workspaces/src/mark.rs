//! Where something stands in a file.

/// A place in a file whose name is known from elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mark {
    /// From 1; 0 for the file as a whole.
    pub(crate) line: u32,
    /// In characters, from 1; 0 for the line as a whole.
    pub(crate) column: u32,
    /// In characters.
    pub(crate) length: u32,
}

impl Mark {
    /// A line as a whole.
    pub(crate) fn line(line: u32) -> Self {
        Self { line, column: 0, length: 1 }
    }
}

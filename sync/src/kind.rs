//! The kinds of entries that a tree can have.

/// What an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    File,
    Folder,
    Link,
    Submodule,
    Other,
}

impl Kind {
    /// As it is called in a sentence.
    pub(crate) fn describe(self) -> &'static str {
        match self {
            Self::File => "a file",
            Self::Folder => "a folder",
            Self::Link => "a symbolic link",
            Self::Submodule => "a submodule or another repository",
            Self::Other => "neither a file nor a folder",
        }
    }
}

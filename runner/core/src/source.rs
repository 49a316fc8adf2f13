//! A folder of the repository at one revision, read into memory: what `sync` gives and what
//! `workspaces` reads.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::ids::Digest;

/// Largest manifest or flow file: DESIGN §6.7.
pub const MAX_MANIFEST: usize = 1 << 20;
/// Largest tree of one workspace, all files together.
pub const MAX_TREE: usize = 32 << 20;
/// Most files of one workspace.
pub const MAX_FILES: usize = 10_000;
/// Largest script or library.
pub const MAX_SCRIPT: usize = 256 << 10;

/// A folder and every file below it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Folder {
    /// Its path from the repository's root, without slashes at either end.
    pub path: String,
    /// The id of its tree; for a working folder a digest of its content.
    pub tree: String,
    /// Its files by path from the folder.
    pub files: BTreeMap<String, SourceFile>,
}

/// One file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFile {
    /// Its content.
    pub content: Arc<[u8]>,
    /// Digest of the content.
    pub digest: Digest,
}

impl SourceFile {
    /// A file with some content.
    pub fn new(content: impl Into<Arc<[u8]>>) -> Self {
        let content = content.into();
        let digest = Digest::of(&content);
        Self { content, digest }
    }
}

//! A plain folder on disk, read by the same policy as a commit.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{ErrorKind, Read as _};
use std::os::unix::ffi::OsStringExt as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::OFlags;
use signalbox_core::Digest;
use signalbox_core::diagnostic::Diagnostic;
use signalbox_core::source::{Folder, MAX_FILES};

use crate::kind::Kind;
use crate::walk::{self, Entry, FileAt, Listing, Located, Reader};
use crate::{Error, fault};

/// A folder as it lies on disk, committed or not: what `signalbox validate PATH` looks at.
///
/// Links are never followed below the folder itself, `.git` is left out, and a folder that is a
/// repository of its own counts as a submodule, which is what git would make of it.
#[derive(Debug, Clone)]
pub struct WorkingFolder {
    root: PathBuf,
}

impl WorkingFolder {
    /// The folder at a path, which may itself be a link to one.
    ///
    /// # Errors
    /// There is no folder, or it cannot be looked at.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
        let root = path.as_ref().to_owned();
        match fs::metadata(&root) {
            Ok(found) if found.is_dir() => Ok(Self { root }),
            Ok(_) => Err(Error::Io { path: root, source: ErrorKind::NotADirectory.into() }),
            Err(source) => Err(Error::Io { path: root, source }),
        }
    }

    /// Reads one file by its path from the folder.
    pub fn read_file(&self, path: &str) -> Result<FileAt, Error> {
        walk::file_at(&Disk, self.root.clone(), path)
    }

    /// Reads everything below a path, `""` for all of it; or gives every fault found there. Its
    /// `tree` is a digest of the paths and contents.
    pub fn folder(&self, path: &str) -> Result<Result<Folder, Vec<Diagnostic>>, Error> {
        let node = match walk::folder_at(&Disk, self.root.clone(), path)? {
            Located::Found(_, node) => node,
            Located::Missing => return Ok(Err(vec![fault::no_folder(path)])),
            Located::Refused(fault) => return Ok(Err(vec![fault])),
        };
        Ok(walk::collect(&Disk, &node, path)?.map(|files| {
            let parts =
                files.iter().flat_map(|(name, file)| [name.as_bytes(), file.digest.0.as_slice()]);
            let tree = Digest::of_parts(parts).to_string();
            Folder { path: path.to_owned(), tree, files }
        }))
    }
}

/// The file system; a node is a path.
struct Disk;

impl Disk {
    fn kind(path: &Path, found: &Metadata) -> Kind {
        let kind = found.file_type();
        if kind.is_symlink() {
            Kind::Link
        } else if kind.is_file() {
            Kind::File
        } else if !kind.is_dir() {
            Kind::Other
        } else if fs::symlink_metadata(path.join(".git")).is_ok() {
            Kind::Submodule
        } else {
            Kind::Folder
        }
    }

    fn open(path: &Path) -> std::io::Result<File> {
        // What was a file a moment ago may be a link or a pipe now.
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
        OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path)
    }
}

impl Reader for Disk {
    type Node = PathBuf;

    fn list(&self, folder: &PathBuf) -> Result<Listing<PathBuf>, Error> {
        let failed = |source| Error::Io { path: folder.clone(), source };
        let mut listing = Listing { entries: Vec::new(), cut: false, disordered: false };
        for entry in fs::read_dir(folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            if entry.file_name() == ".git" {
                continue;
            }
            if listing.entries.len() > MAX_FILES {
                listing.cut = true;
                break;
            }
            let node = entry.path();
            let found = match entry.metadata() {
                Ok(found) => found,
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                Err(source) => return Err(Error::Io { path: node, source }),
            };
            let kind = Self::kind(&node, &found);
            listing.entries.push(Entry { name: entry.file_name().into_vec(), kind, node });
        }
        listing.entries.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(listing)
    }

    fn find(&self, folder: &PathBuf, name: &str) -> Result<Option<Entry<PathBuf>>, Error> {
        let node = folder.join(name);
        match fs::symlink_metadata(&node) {
            Ok(found) => {
                let name = name.as_bytes().to_vec();
                Ok(Some(Entry { name, kind: Self::kind(&node, &found), node }))
            }
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(source) => Err(Error::Io { path: node, source }),
        }
    }

    fn size(&self, file: &PathBuf) -> Result<u64, Error> {
        match fs::symlink_metadata(file) {
            Ok(found) => Ok(found.len()),
            Err(source) => Err(Error::Io { path: file.clone(), source }),
        }
    }

    fn read(&self, file: &PathBuf, limit: usize) -> Result<Option<Arc<[u8]>>, Error> {
        let failed = |source| Error::Io { path: file.clone(), source };
        let opened = Self::open(file).map_err(failed)?;
        let mut content = Vec::new();
        opened.take(limit as u64 + 1).read_to_end(&mut content).map_err(failed)?;
        Ok((content.len() <= limit).then(|| content.into()))
    }
}

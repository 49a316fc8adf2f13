//! The tree that is looked at: a commit, or a working folder.

use std::io::{self, Read as _};
use std::path::Path;
use std::sync::Arc;

use signalbox_core::Revision;
use signalbox_core::codes::Code;
use signalbox_core::diagnostic::{Diagnostic, Place};
use signalbox_core::source::{Folder, MAX_MANIFEST};
use signalbox_sync::{FileAt, Source, Subtree, WorkingFolder};
use signalbox_workspaces::root::{ROOT_FILE, Root, parse_root};
use tokio::runtime::{Handle, RuntimeFlavor};

use crate::options::Error;

/// A tree that can be looked at.
#[derive(Debug, Clone)]
pub enum Tree {
    /// A commit of a repository.
    Revision(Arc<Source>, Revision),
    /// A folder as it is.
    Folder(Arc<WorkingFolder>),
}

/// The root manifest with its warnings, or every fault.
pub(super) type RootResult = Result<(Root, Vec<Diagnostic>), Vec<Diagnostic>>;

impl Tree {
    /// The commit; a working folder has none and stands for one of zeros.
    pub(super) fn revision(&self) -> Result<Revision, Error> {
        match self {
            Self::Revision(_, revision) => Ok(revision.clone()),
            Self::Folder(_) => "0".repeat(40).parse().map_err(|error| {
                Error::refused(Code::Internal, format!("no stand-in for a revision: {error}"))
            }),
        }
    }

    /// The root manifest: of the tree, or the one on the host that stands in for it.
    pub(super) async fn root(&self, manifest: Option<&Path>) -> Result<RootResult, Error> {
        let (file, found) = match manifest {
            Some(path) => {
                let content = read_manifest(path).map_err(|source| Error::Host {
                    what: format!("read the manifest {}", path.display()),
                    source,
                })?;
                (path.display().to_string(), FileAt::Found(content.into()))
            }
            None => (self.full_path(ROOT_FILE), self.read_file(ROOT_FILE).await?),
        };
        Ok(match found {
            FileAt::Found(content) => parse_root(&content, &file),
            FileAt::Refused(diagnostic) => Err(vec![diagnostic]),
            FileAt::Missing => Err(vec![
                Diagnostic::error(
                    Code::ManifestMissing,
                    Place::file(file),
                    "there is no root manifest",
                )
                .help(format!("put a `{ROOT_FILE}` at the root of the repository")),
            ]),
        })
    }

    fn full_path(&self, path: &str) -> String {
        match self {
            Self::Revision(source, _) => source.full_path(path),
            Self::Folder(_) => path.to_owned(),
        }
    }

    async fn read_file(&self, path: &'static str) -> Result<FileAt, Error> {
        match self.clone() {
            Self::Revision(source, revision) => {
                blocking(move || source.read_file(&revision, path)).await
            }
            Self::Folder(folder) => blocking(move || folder.read_file(path)).await,
        }
    }

    /// The ids of some folders' trees, in order.
    pub(super) async fn subtrees(&self, paths: Vec<String>) -> Result<Vec<Subtree>, Error> {
        match self.clone() {
            Self::Revision(source, revision) => {
                blocking(move || paths.iter().map(|path| source.subtree(&revision, path)).collect())
                    .await
            }
            // A working folder is read whole anyway; its content says what it is.
            Self::Folder(_) => Ok(paths.iter().map(|_| Subtree::Found(String::new())).collect()),
        }
    }

    /// A folder whole.
    pub(super) async fn folder(
        &self,
        path: String,
    ) -> Result<Result<Folder, Vec<Diagnostic>>, Error> {
        match self.clone() {
            Self::Revision(source, revision) => {
                blocking(move || source.folder(&revision, &path)).await
            }
            Self::Folder(folder) => blocking(move || folder.folder(&path)).await,
        }
    }
}

/// A manifest on the host: a plain file within the bound of any manifest.
pub(super) fn read_manifest(path: &Path) -> io::Result<Vec<u8>> {
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is not a plain file"));
    }
    let mut content = Vec::new();
    let most = MAX_MANIFEST as u64 + 1;
    std::fs::File::open(path)?.take(most).read_to_end(&mut content)?;
    if content.len() > MAX_MANIFEST {
        return Err(io::Error::other("it has more than 1 MiB"));
    }
    Ok(content)
}

/// Reads on a thread that may block. A runtime of one thread is that of a test or a simulation:
/// there it happens in place, so that it has its place in the order of events.
pub(super) async fn blocking<T: Send + 'static>(
    read: impl FnOnce() -> Result<T, signalbox_sync::Error> + Send + 'static,
) -> Result<T, Error> {
    if Handle::current().runtime_flavor() == RuntimeFlavor::CurrentThread {
        return Ok(read()?);
    }
    match tokio::task::spawn_blocking(read).await {
        Ok(result) => Ok(result?),
        Err(_) => Err(Error::Stopping),
    }
}

//! What can go wrong with a source. Faults *inside* a tree are diagnostics, not errors.

use std::path::PathBuf;

use signalbox_core::Revision;
use signalbox_core::codes::Code;

/// An operation on a source failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The location names another machine.
    #[error(
        "read `{location}`: only local repositories (a folder or a file:// URL) are supported by this version"
    )]
    NotLocal {
        /// As it was given.
        location: String,
    },
    /// The location cannot be read as a path or a file URL.
    #[error("read `{location}` as a path or file:// URL: {reason}")]
    InvalidLocation {
        /// As it was given, cut to 200 characters.
        location: String,
        /// The rule it breaks.
        reason: &'static str,
    },
    /// There is no repository.
    #[error("open `{}`: it is not a git repository{hint}", path.display())]
    NotARepository {
        /// Where.
        path: PathBuf,
        /// Empty, or what was probably meant.
        hint: String,
    },
    /// The name cannot be a branch of any repository.
    #[error("look up branch `{branch}`: no branch can have that name")]
    InvalidBranch {
        /// As it was given.
        branch: String,
    },
    /// The sub-directory to read is not a plain relative path.
    #[error(
        "use `{root}` as the root inside the repository: it must be a relative path without `.` and `..`"
    )]
    InvalidRoot {
        /// As it was given.
        root: String,
    },
    /// The repository has no commit on the branch that its HEAD names, as after `git init`.
    #[error("find the head of `{branch}`: the repository has no commit there yet")]
    Empty {
        /// The branch that HEAD names.
        branch: String,
    },
    /// The branch is not, or no longer, there.
    #[error("find the head of branch `{branch}`: the repository has no such branch (any more)")]
    BranchGone {
        /// The branch that was asked for.
        branch: String,
    },
    /// A name that names no commit.
    #[error("find a commit named `{name}`")]
    UnknownRevision {
        /// As it was given, cut to 200 characters.
        name: String,
        /// What libgit2 says.
        #[source]
        source: git2::Error,
    },
    /// A reference that leads to something else than a commit.
    #[error("read `{name}` as a commit: it names a {kind}")]
    NotACommit {
        /// The reference or object.
        name: String,
        /// What it is instead.
        kind: String,
    },
    /// The commit is not in the repository: rewritten and collected, or never there.
    #[error("find commit {revision}: it is not in the repository (history rewritten?)")]
    CommitMissing {
        /// The commit that was asked for.
        revision: Revision,
    },
    /// An object that must be there is not, or does not read as what it must be.
    #[error("read object {object}: {reason}")]
    Corrupt {
        /// Its id.
        object: String,
        /// What is wrong with it.
        reason: String,
    },
    /// libgit2 refused.
    #[error("{doing}")]
    Git {
        /// What was tried, completing "failed to ...".
        doing: String,
        /// What libgit2 says.
        #[source]
        source: git2::Error,
    },
    /// The file system refused.
    #[error("read `{}`", path.display())]
    Io {
        /// Where.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
}

impl Error {
    /// Wraps what libgit2 says.
    pub(crate) fn git(doing: impl Into<String>) -> impl FnOnce(git2::Error) -> Self {
        let doing = doing.into();
        move |source| Self::Git { doing, source }
    }

    /// The code under which an operator finds the page about it.
    pub fn code(&self) -> Code {
        Code::SourceUnreachable
    }

    /// Whether the same operation can succeed later without anybody changing the configuration:
    /// the branch is pushed, the object store repaired, the disk mounted.
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::NotLocal { .. }
            | Self::InvalidLocation { .. }
            | Self::InvalidBranch { .. }
            | Self::InvalidRoot { .. } => false,
            Self::NotARepository { .. }
            | Self::Empty { .. }
            | Self::BranchGone { .. }
            | Self::UnknownRevision { .. }
            | Self::NotACommit { .. }
            | Self::CommitMissing { .. }
            | Self::Corrupt { .. }
            | Self::Git { .. }
            | Self::Io { .. } => true,
        }
    }
}

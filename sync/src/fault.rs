//! The diagnostics about a tree: each says where from the repository's root, and what to do.

use signalbox_core::codes::Code;
use signalbox_core::diagnostic::{Diagnostic, Place};
use signalbox_core::source::MAX_MANIFEST;

use crate::kind::Kind;

/// A path to show; the root of the repository is `.`.
fn place(path: &str) -> Place {
    Place::file(if path.is_empty() { "." } else { path })
}

/// A path or name that is not allowed.
pub(crate) fn bad_path(path: &str, message: String) -> Diagnostic {
    Diagnostic::error(Code::TreePath, place(path), message)
        .help("rename it to a plain name and commit")
}

/// An entry that is something else than what must be there.
pub(crate) fn wrong_kind(path: &str, kind: Kind, wanted: &str) -> Diagnostic {
    let message = format!("{} stands where {wanted} must be", kind.describe());
    let help = match kind {
        Kind::Link => "replace the link by a copy of what it points to",
        Kind::Submodule => {
            "commit the files themselves instead of a reference to another repository"
        }
        Kind::File | Kind::Folder | Kind::Other => {
            "move it away, or correct the path that names it"
        }
    };
    Diagnostic::error(Code::TreeEntry, place(path), message).help(help)
}

/// A file over its bound.
pub(crate) fn too_large(path: &str) -> Diagnostic {
    let message = format!("the file has more than {} MiB", MAX_MANIFEST >> 20);
    limit(path, message, "keep large data outside of the workspace's folder")
}

/// A bound of a whole workspace that is passed.
pub(crate) fn limit(path: &str, message: String, help: &str) -> Diagnostic {
    Diagnostic::error(Code::TreeLimit, place(path), message).help(help)
}

/// There is no folder at a path at which a whole one was asked for.
pub(crate) fn no_folder(path: &str) -> Diagnostic {
    Diagnostic::error(Code::FileMissing, place(path), "the folder does not exist")
        .help("create and commit it, or correct the path that names it")
}

//! Sources over real repositories: what pushes do to them, and what hostile trees do not.

mod history;
mod hostile;
mod opening;
mod reading;
mod working;

use signalbox_core::Revision;
use signalbox_core::codes::Code;
use signalbox_core::diagnostic::Diagnostic;
use signalbox_core::source::Folder;
use signalbox_sync::{Location, Source};
use signalbox_testkit::Repo;

fn open(repo: &Repo) -> Source {
    open_at(repo, None, "").expect("a repository")
}

fn open_at(repo: &Repo, branch: Option<&str>, root: &str) -> Result<Source, signalbox_sync::Error> {
    Source::open(&Location::parse(&repo.url()).expect("a URL"), branch, root)
}

fn revision(id: &str) -> Revision {
    id.parse().expect("a commit id")
}

/// Everything below a path, of a tree that must be good.
fn folder(source: &Source, commit: &str, path: &str) -> Folder {
    source.folder(&revision(commit), path).expect("readable").expect("no fault")
}

/// Code and place of every fault below a path, of a tree that must be bad.
fn faults(source: &Source, commit: &str, path: &str) -> Vec<(Code, String)> {
    let found = source.folder(&revision(commit), path).expect("readable");
    places(&found.expect_err("faults"))
}

fn places(faults: &[Diagnostic]) -> Vec<(Code, String)> {
    for fault in faults {
        assert!(fault.is_error() && fault.help.is_some(), "{fault:?}");
        assert!(!fault.place.file.chars().any(char::is_control), "{fault:?}");
    }
    faults.iter().map(|fault| (fault.code, fault.place.file.clone())).collect()
}

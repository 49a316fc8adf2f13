use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;
use std::path::Path;

use signalbox_core::codes::Code;
use signalbox_core::diagnostic::Diagnostic;
use signalbox_core::source::{Folder, MAX_MANIFEST};
use signalbox_sync::{Error, FileAt, WorkingFolder};
use signalbox_testkit::Repo;

use crate::{folder, open, places};

fn read(path: &Path, folder: &str) -> Result<Folder, Vec<Diagnostic>> {
    WorkingFolder::open(path).expect("a folder").folder(folder).expect("readable")
}

#[test]
fn a_working_folder_reads_as_its_commit_would() {
    let repo = Repo::new();
    repo.write("w/workspace.yaml", "a: 1").write("w/flows/x.rhai", "1").write("w/.gitignore", "");
    let commit = repo.commit("one");
    let (committed, working) = (folder(&open(&repo), &commit, "w"), read(&repo.path(), "w"));
    let working = working.expect("no fault");
    assert_eq!((working.path, working.files), (committed.path, committed.files));
    assert_eq!(read(&repo.path(), "").expect("no fault").files.len(), 3, "`.git` is left out");
}

#[test]
fn its_tree_changes_exactly_with_its_content() {
    let repo = Repo::new();
    let tree = || read(&repo.path(), "w").expect("no fault").tree;
    repo.write("w/a", "1");
    let before = tree();
    assert_eq!(before.len(), 64);
    repo.write("w/a", "2");
    assert_ne!(tree(), before);
    repo.write("w/a", "1").write("other", "x");
    assert_eq!(tree(), before);
    repo.remove("w/a").write("w/b", "1");
    assert_ne!(tree(), before);
}

#[test]
fn it_follows_the_same_policy() {
    let repo = Repo::new();
    let path = repo.path();
    repo.write("w/A", "x").write("w/a", "x").write("w/big", vec![b'x'; MAX_MANIFEST + 1]);
    repo.write("w/nested/.git/HEAD", "x").write("w/sub/git~1", "x").write("w/z\nz", "x");
    symlink("/etc", path.join("w/link")).expect("a link");
    fs::write(path.join("w").join(OsStr::from_bytes(b"caf\xe9")), "x").expect("a file");
    let found = read(&path, "w").expect_err("faults");
    assert_eq!(
        places(&found),
        [
            (Code::CaseCollision, "w/a".into()),
            (Code::TreeLimit, "w/big".into()),
            (Code::TreePath, "w/caf\\xe9".into()),
            (Code::TreeEntry, "w/link".into()),
            (Code::TreeEntry, "w/nested".into()),
            (Code::TreePath, "w/sub/git~1".into()),
            (Code::TreePath, "w/z\\nz".into()),
        ]
    );
}

#[test]
fn nothing_is_read_through_a_link() {
    let repo = Repo::new();
    repo.write("real/a", "x");
    symlink("real", repo.path().join("w")).expect("a link");
    symlink("real/a", repo.path().join("f")).expect("a link");
    let working = WorkingFolder::open(repo.path()).expect("a folder");
    for path in ["f", "w/a", "../repo/real/a", "real/.."] {
        assert!(matches!(working.read_file(path), Ok(FileAt::Refused(_))), "{path}");
    }
    assert_eq!(
        places(&read(&repo.path(), "w").expect_err("a link")),
        [(Code::TreeEntry, "w".into())]
    );
    assert!(matches!(working.read_file("real/a"), Ok(FileAt::Found(_))));
    assert_eq!(working.read_file("real/b").expect("readable"), FileAt::Missing);
    assert_eq!(
        places(&read(&repo.path(), "no").expect_err("nothing")),
        [(Code::FileMissing, "no".into())]
    );
}

#[test]
fn a_socket_is_refused_and_not_waited_for() {
    let repo = Repo::new();
    repo.write("w/a", "x");
    let _socket =
        std::os::unix::net::UnixListener::bind(repo.path().join("w/socket")).expect("socket");
    assert_eq!(
        places(&read(&repo.path(), "w").expect_err("a socket")),
        [(Code::TreeEntry, "w/socket".into())]
    );
}

#[test]
fn a_path_that_is_no_folder_cannot_be_opened() {
    let repo = Repo::new();
    repo.write("f", "x");
    for path in ["f", "missing"] {
        assert!(matches!(WorkingFolder::open(repo.path().join(path)), Err(Error::Io { .. })));
    }
}

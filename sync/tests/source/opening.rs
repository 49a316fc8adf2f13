use signalbox_sync::{Error, Location, Source};
use signalbox_testkit::Repo;

use crate::{open, open_at, revision};

fn open_path(path: &std::path::Path) -> Result<Source, Error> {
    Source::open(&Location::parse(path.to_str().expect("UTF-8")).expect("a path"), None, "")
}

#[test]
fn work_trees_bare_clones_and_linked_work_trees_give_the_same_head() {
    let repo = Repo::new();
    repo.write("a", "1");
    let commit = revision(&repo.commit("one"));
    let bare = repo.clone_bare();
    let linked = tempfile::tempdir().expect("a folder");
    let tree = linked.path().join("tree");
    repo.git(&["worktree", "add", "--quiet", "-b", "side", tree.to_str().expect("UTF-8")]);
    assert!(tree.join(".git").is_file());

    for source in [open(&repo), open(&bare), open_path(&repo.path()).expect("path")] {
        assert_eq!(source.head().expect("a head"), commit);
    }
    let linked = open_path(&tree).expect("a linked work tree");
    assert_eq!(linked.head().expect("a head"), commit);
    assert_eq!(crate::folder(&linked, commit.as_str(), "").files.len(), 1);
}

#[test]
fn a_folder_inside_a_repository_is_refused_and_the_right_one_named() {
    let repo = Repo::new();
    repo.write("sub/a", "1").commit("one");
    let error = open_path(&repo.path().join("sub")).expect_err("not a repository");
    assert!(matches!(error, Error::NotARepository { .. }), "{error}");
    assert!(error.to_string().contains("name that one"), "{error}");
}

#[test]
fn a_folder_without_repository_is_refused() {
    let empty = tempfile::tempdir().expect("a folder");
    for path in [empty.path().to_owned(), empty.path().join("missing")] {
        let error = open_path(&path).expect_err("not a repository");
        assert!(matches!(error, Error::NotARepository { .. }), "{error}");
    }
}

#[test]
fn impossible_branches_and_roots_are_refused_at_once() {
    let repo = Repo::new();
    for branch in ["", "-x", "a..b", "x.lock", "@{", "a b", "a\0b", "a/../b", "/a"] {
        let error = open_at(&repo, Some(branch), "").expect_err(branch);
        assert!(matches!(error, Error::InvalidBranch { .. }), "{branch:?}: {error}");
        assert!(!error.is_temporary());
    }
    for root in ["..", "a/../b", "/a", "a//b", "./a", ".git", "a\\b"] {
        let error = open_at(&repo, None, root).expect_err(root);
        assert!(matches!(error, Error::InvalidRoot { .. }), "{root:?}: {error}");
    }
}

#[test]
fn the_configuration_of_the_machine_is_not_read() {
    // A repository's own configuration may say anything; it starts nothing and moves nothing.
    let repo = Repo::new();
    repo.write("a", "1");
    let commit = repo.commit("one");
    for (key, value) in
        [("core.worktree", "/"), ("core.fsmonitor", "false"), ("core.hooksPath", "/")]
    {
        repo.git(&["config", key, value]);
    }
    assert_eq!(crate::folder(&open(&repo), &commit, "").files.len(), 1);
}

#[test]
fn a_repository_of_another_object_format_is_refused_clearly() {
    let home = Repo::new();
    let path = home.path().join("sha256");
    home.git(&["init", "--quiet", "--object-format=sha256", path.to_str().expect("UTF-8")]);
    let error = open_path(&path).expect_err("SHA-256 is not read");
    assert!(matches!(error, Error::Git { .. }), "{error}");
}

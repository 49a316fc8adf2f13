use std::sync::Arc;

use signalbox_core::codes::Code;
use signalbox_sync::{FileAt, Source, Subtree};
use signalbox_testkit::Repo;

use crate::{folder, open, open_at, places, revision};

#[test]
fn a_folder_is_read_whole_with_its_tree_id() {
    let repo = Repo::new();
    repo.write("w/workspace.yaml", "a: 1\n")
        .write("w/flows/x/y.yaml", b"\xff\0")
        .write("other", "");
    let commit = repo.commit("one");
    let source = open(&repo);
    let read = folder(&source, &commit, "w");
    assert_eq!(read.path, "w");
    assert_eq!(read.tree, repo.git(&["rev-parse", "HEAD:w"]));
    let names: Vec<_> = read.files.keys().map(String::as_str).collect();
    assert_eq!(names, ["flows/x/y.yaml", "workspace.yaml"]);
    // Whether content is text is for those to say who read it as text.
    assert_eq!(&*read.files["flows/x/y.yaml"].content, b"\xff\0");
    assert_eq!(source.subtree(&revision(&commit), "w").expect("read"), Subtree::Found(read.tree));
}

#[test]
fn a_tree_id_changes_exactly_with_its_folder() {
    let repo = Repo::new();
    repo.write("a/f", "1").write("b/f", "1");
    let source = open(&repo);
    let trees = |commit: &str| {
        ["a", "b"].map(|path| source.subtree(&revision(commit), path).expect("readable"))
    };
    let before = trees(&repo.commit("one"));
    repo.write("b/f", "2");
    let after = trees(&repo.commit("two"));
    assert_eq!(before[0], after[0]);
    assert_ne!(before[1], after[1]);
    repo.write("b/f", "1");
    assert_eq!(trees(&repo.commit("back")), before);
}

#[test]
fn the_index_and_the_work_tree_are_not_looked_at() {
    let repo = Repo::new();
    repo.write("w/a", "committed");
    let commit = repo.commit("one");
    repo.write("w/a", "changed").write("w/b", "new");
    repo.git(&["add", "--all"]);
    let files = folder(&open(&repo), &commit, "w").files;
    assert_eq!(files.len(), 1);
    assert_eq!(&*files["a"].content, b"committed");
}

#[test]
fn files_are_found_missing_or_refused() {
    let repo = Repo::new();
    repo.write("signalbox.yaml", "version: 1\n")
        .write("d/f", "x")
        .write("big", vec![b'x'; (1 << 20) + 1]);
    repo.write("just", vec![b'x'; 1 << 20]);
    std::os::unix::fs::symlink("signalbox.yaml", repo.path().join("link")).expect("a link");
    std::os::unix::fs::symlink("d", repo.path().join("linked")).expect("a link");
    let commit = revision(&repo.commit("one"));
    let source = open(&repo);
    let read = |path: &str| source.read_file(&commit, path).expect("readable");
    assert_eq!(read("signalbox.yaml"), FileAt::Found(Arc::from(*b"version: 1\n")));
    assert!(matches!(read("just"), FileAt::Found(_)));
    for path in ["nothing", "d/nothing", "signalbox.yaml/x"] {
        assert_eq!(read(path), FileAt::Missing, "{path}");
    }
    let refused = |path: &str| match read(path) {
        FileAt::Refused(fault) => places(&[fault]).remove(0),
        other => unreachable!("{path}: {other:?}"),
    };
    assert_eq!(refused("link"), (Code::TreeEntry, "link".into()));
    assert_eq!(refused("linked/f"), (Code::TreeEntry, "linked".into()));
    assert_eq!(refused("d"), (Code::TreeEntry, "d".into()));
    assert_eq!(refused("big"), (Code::TreeLimit, "big".into()));
    for path in ["../x", "d/../signalbox.yaml", "/etc/passwd", "d//f", "d/", ".git/config", "a\0b"]
    {
        assert_eq!(refused(path).0, Code::TreePath, "{path:?}");
    }
}

fn refused_tree(source: &Source, commit: &str, path: &str) -> (Code, String) {
    match source.subtree(&revision(commit), path).expect("readable") {
        Subtree::Refused(fault) => {
            let whole = source.folder(&revision(commit), path).expect("readable");
            assert_eq!(whole, Err(vec![fault.clone()]), "the same fault, asked for whole");
            places(&[fault]).remove(0)
        }
        other => unreachable!("{path}: {other:?}"),
    }
}

#[test]
fn a_workspace_folder_is_never_reached_through_a_link() {
    let repo = Repo::new();
    repo.write("real/w/a", "x").write("file", "x");
    std::os::unix::fs::symlink("real", repo.path().join("link")).expect("a link");
    let commit = repo.commit("one");
    let source = open(&repo);
    assert_eq!(refused_tree(&source, &commit, "link"), (Code::TreeEntry, "link".into()));
    assert_eq!(refused_tree(&source, &commit, "link/w"), (Code::TreeEntry, "link".into()));
    assert_eq!(refused_tree(&source, &commit, "file"), (Code::TreeEntry, "file".into()));
    assert_eq!(refused_tree(&source, &commit, "../real").0, Code::TreePath);
}

#[test]
fn a_missing_folder_is_missing_or_one_fault() {
    let repo = Repo::new();
    let commit = repo.commit("empty");
    let source = open(&repo);
    assert_eq!(source.subtree(&revision(&commit), "w").expect("readable"), Subtree::Missing);
    assert_eq!(crate::faults(&source, &commit, "w"), [(Code::FileMissing, "w".into())]);
    assert!(folder(&source, &commit, "").files.is_empty());
}

#[test]
fn a_root_inside_the_repository_is_where_paths_start_and_places_do_not() {
    let repo = Repo::new();
    repo.write("infra/home/w/a", "x").write("infra/home/signalbox.yaml", "y").write("w/a", "no");
    std::os::unix::fs::symlink("a", repo.path().join("infra/home/w/link")).expect("a link");
    let commit = repo.commit("one");
    let source = open_at(&repo, None, "infra/home/").expect("open");
    assert!(matches!(
        source.read_file(&revision(&commit), "signalbox.yaml").expect("readable"),
        FileAt::Found(_)
    ));
    assert_eq!(
        crate::faults(&source, &commit, "w"),
        [(Code::TreeEntry, "infra/home/w/link".into())]
    );
    repo.remove("infra/home/w/link");
    let read = folder(&source, &repo.commit("two"), "w");
    assert_eq!((read.path.as_str(), &*read.files["a"].content), ("infra/home/w", &b"x"[..]));
    assert_eq!(source.full_path("w/a"), "infra/home/w/a");
}

#[test]
fn many_threads_read_one_source() {
    let repo = Repo::new();
    for n in 0..50 {
        repo.write(&format!("w/{n}"), format!("{n}"));
    }
    let commit = repo.commit("one");
    let source = open(&repo);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..20 {
                    assert_eq!(folder(&source, &commit, "w").files.len(), 50);
                }
            });
        }
    });
}

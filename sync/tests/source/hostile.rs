use signalbox_core::codes::Code;
use signalbox_core::source::{MAX_FILES, MAX_MANIFEST, MAX_TREE};
use signalbox_sync::MAX_DEPTH;
use signalbox_testkit::Repo;

use crate::{faults, folder, open, revision};

const FILE: &str = "100644";
const FOLDER: &str = "40000";

/// One entry as it stands in a tree object.
fn entry(mode: &str, name: &[u8], id: &str) -> Vec<u8> {
    let digits = |at: usize| u8::from_str_radix(&id[at..at + 2], 16).expect("hexadecimal");
    let id: Vec<u8> = (0..id.len()).step_by(2).map(digits).collect();
    [mode.as_bytes(), b" ", name, b"\0", &id].concat()
}

/// A commit with these entries below `w`, beside a good workspace `good`.
fn commit(repo: &Repo, entries: &[Vec<u8>]) -> String {
    let w = repo.raw_tree(&entries.concat());
    let good = repo.raw_tree(&entry(FILE, b"f", &repo.blob("x")));
    let root = repo.raw_tree(&[entry(FOLDER, b"good", &good), entry(FOLDER, b"w", &w)].concat());
    repo.commit_tree(&root, "main")
}

#[test]
fn every_bad_name_is_reported_and_stops_only_its_own_workspace() {
    let repo = Repo::new();
    let blob = repo.blob("x");
    let names: [&[u8]; 14] = [
        b"",
        b".",
        b"..",
        b".git",
        b".GIT",
        b"git~1",
        b".git ",
        "\u{feff}.git".as_bytes(),
        ".g\u{200c}it".as_bytes(),
        b"a/../../x",
        b"a\\b",
        b"a\nb",
        b"\x1b[2J",
        b"caf\xe9",
    ];
    let mut entries: Vec<_> = names.iter().map(|name| entry(FILE, name, &blob)).collect();
    entries.sort_by_key(|entry| entry[7..].to_vec());
    let commit = commit(&repo, &entries);
    let source = open(&repo);
    let found = faults(&source, &commit, "w");
    assert_eq!(found.len(), names.len(), "{found:?}");
    assert!(found.iter().all(|(code, _)| *code == Code::TreePath), "{found:?}");
    assert!(found.contains(&(Code::TreePath, "w/caf\\xe9".into())), "{found:?}");
    assert_eq!(folder(&source, &commit, "good").files.len(), 1);
}

#[test]
fn a_folder_named_git_is_not_entered() {
    let repo = Repo::new();
    let inner = repo.raw_tree(&entry("120000", b"link", &repo.blob("/etc")));
    let commit = commit(&repo, &[entry(FOLDER, b".Git", &inner)]);
    assert_eq!(faults(&open(&repo), &commit, "w"), [(Code::TreePath, "w/.Git".into())]);
}

#[test]
fn links_submodules_and_odd_modes_are_reported_each() {
    let repo = Repo::new();
    let (blob, link) = (repo.blob("x"), repo.blob("/etc/passwd"));
    let commit = commit(
        &repo,
        &[
            entry("104755", b"a", &blob),
            entry("040000", b"b", &repo.raw_tree(b"")),
            entry("120000", b"c", &link),
            entry("160000", b"d", &"1".repeat(40)),
            entry("100755", b"e", &blob),
        ],
    );
    let expected = ["w/a", "w/b", "w/c", "w/d"].map(|path| (Code::TreeEntry, path.to_owned()));
    assert_eq!(faults(&open(&repo), &commit, "w"), expected);
}

#[test]
fn real_links_and_submodules_are_refused() {
    let repo = Repo::new();
    repo.write("w/a", "x").commit("one");
    let link = repo.blob("../..");
    repo.git(&["update-index", "--add", "--cacheinfo", &format!("120000,{link},w/up")]);
    let other = repo.git(&["rev-parse", "HEAD"]);
    repo.git(&["update-index", "--add", "--cacheinfo", &format!("160000,{other},w/x/sub")]);
    let commit = repo.commit_index("two");
    let expected = ["w/up", "w/x/sub"].map(|path| (Code::TreeEntry, path.to_owned()));
    assert_eq!(faults(&open(&repo), &commit, "w"), expected);
}

#[test]
fn names_that_differ_only_in_case_collide_within_their_folder_only() {
    let repo = Repo::new();
    for path in ["w/A.yaml", "w/a.yaml", "w/x/Flow", "w/y/flow", "w/Ärger", "w/ärger"] {
        let blob = repo.blob(path);
        repo.git(&["update-index", "--add", "--cacheinfo", &format!("100644,{blob},{path}")]);
    }
    let commit = repo.commit_index("twins");
    let source = open(&repo);
    let expected = ["w/a.yaml", "w/ärger"].map(|path| (Code::CaseCollision, path.to_owned()));
    assert_eq!(faults(&source, &commit, "w"), expected);
    let found = source.folder(&revision(&commit), "w").expect("readable").expect_err("faults");
    assert_eq!(found[0].labels[0].place.file, "w/A.yaml");
}

#[test]
fn a_name_that_stands_twice_is_refused_also_as_file_and_folder() {
    let repo = Repo::new();
    let (blob, tree) = (repo.blob("x"), repo.raw_tree(b""));
    let twice = commit(&repo, &[entry(FILE, b"a", &blob), entry(FILE, b"a", &blob)]);
    let both = commit(
        &repo,
        &[entry(FILE, b"a", &blob), entry(FILE, b"a.b", &blob), entry(FOLDER, b"a", &tree)],
    );
    for commit in [twice, both] {
        assert_eq!(faults(&open(&repo), &commit, "w"), [(Code::TreePath, "w/a".into())]);
    }
}

#[test]
fn entries_out_of_order_are_refused() {
    let repo = Repo::new();
    let blob = repo.blob("x");
    let commit = commit(&repo, &[entry(FILE, b"b", &blob), entry(FILE, b"a", &blob)]);
    assert_eq!(faults(&open(&repo), &commit, "w"), [(Code::TreePath, "w".into())]);
}

#[test]
fn a_malformed_tree_is_an_error_and_no_panic() {
    let repo = Repo::new();
    let whole = entry(FILE, b"a", &repo.blob("x"));
    for cut in 1..whole.len() {
        let commit = commit(&repo, &[whole[..cut].to_vec()]);
        let read = open(&repo).folder(&revision(&commit), "w");
        assert!(
            matches!(read, Err(signalbox_sync::Error::Corrupt { .. })),
            "cut at {cut}: {read:?}"
        );
    }
}

#[test]
fn an_object_of_another_kind_is_an_error_and_no_panic() {
    let repo = Repo::new();
    let (blob, tree) = (repo.blob("x"), repo.raw_tree(b""));
    for lie in
        [entry(FILE, b"a", &tree), entry(FOLDER, b"a", &blob), entry(FILE, b"a", &"1".repeat(40))]
    {
        let commit = commit(&repo, &[lie]);
        let read = open(&repo).folder(&revision(&commit), "w");
        assert!(matches!(read, Err(signalbox_sync::Error::Corrupt { .. })), "{read:?}");
    }
}

#[test]
fn a_file_over_its_bound_is_reported_and_one_at_the_bound_is_read() {
    let repo = Repo::new();
    repo.write("w/just", vec![b'x'; MAX_MANIFEST]);
    let source = open(&repo);
    assert_eq!(folder(&source, &repo.commit("one"), "w").files.len(), 1);
    repo.write("w/over", vec![b'x'; MAX_MANIFEST + 1]);
    assert_eq!(faults(&source, &repo.commit("two"), "w"), [(Code::TreeLimit, "w/over".into())]);
}

/// Folders inside each other, `depth` below `w`, with a file in the last.
fn nested(repo: &Repo, depth: usize) -> String {
    let mut tree = repo.raw_tree(&entry(FILE, b"f", &repo.blob("x")));
    for _ in 1..depth {
        tree = repo.raw_tree(&entry(FOLDER, b"d", &tree));
    }
    commit(repo, &[entry(FOLDER, b"d", &tree)])
}

#[test]
fn folders_are_entered_down_to_the_bound_and_no_deeper() {
    let repo = Repo::new();
    let source = open(&repo);
    assert_eq!(folder(&source, &nested(&repo, MAX_DEPTH), "w").files.len(), 1);
    let place = format!("w/{}", vec!["d"; MAX_DEPTH + 1].join("/"));
    assert_eq!(faults(&source, &nested(&repo, 200), "w"), [(Code::TreeLimit, place)]);
}

/// As many entries of one blob as asked for, in order.
fn many(repo: &Repo, count: usize, blob: &str) -> String {
    let one = |n: usize| entry(FILE, format!("f{n:06}").as_bytes(), blob);
    repo.raw_tree(&(0..count).flat_map(one).collect::<Vec<_>>())
}

#[test]
fn files_are_counted_up_to_the_bound_and_not_listed_beyond() {
    let repo = Repo::new();
    let source = open(&repo);
    let blob = repo.blob("x");
    let at = |count| commit(&repo, &[entry(FOLDER, b"d", &many(&repo, count, &blob))]);
    assert_eq!(folder(&source, &at(MAX_FILES - 1), "w").files.len(), MAX_FILES - 1);
    for count in [MAX_FILES, 200_000] {
        assert_eq!(faults(&source, &at(count), "w"), [(Code::TreeLimit, "w".into())], "{count}");
    }
}

#[test]
fn a_tree_that_repeats_itself_costs_no_more_than_the_bound() {
    let repo = Repo::new();
    let mut tree = repo.raw_tree(&entry(FILE, b"f", &repo.blob("x")));
    for _ in 0..20 {
        let ten = (0..10).flat_map(|n| entry(FOLDER, format!("d{n}").as_bytes(), &tree));
        tree = repo.raw_tree(&ten.collect::<Vec<_>>());
    }
    let commit = commit(&repo, &[entry(FOLDER, b"d", &tree)]);
    assert_eq!(faults(&open(&repo), &commit, "w"), [(Code::TreeLimit, "w".into())]);
}

#[test]
fn bytes_are_counted_on_every_visit() {
    let repo = Repo::new();
    let blob = repo.blob(vec![b'x'; MAX_MANIFEST]);
    let source = open(&repo);
    let at = |count| commit(&repo, &[entry(FOLDER, b"d", &many(&repo, count, &blob))]);
    let fit = MAX_TREE / MAX_MANIFEST;
    assert_eq!(folder(&source, &at(fit), "w").files.len(), fit);
    assert_eq!(faults(&source, &at(fit + 1), "w"), [(Code::TreeLimit, "w".into())]);
}

#[test]
fn faults_of_every_kind_are_reported_together() {
    let repo = Repo::new();
    let (blob, big) = (repo.blob("x"), repo.blob(vec![b'x'; MAX_MANIFEST + 1]));
    let inner = repo.raw_tree(&entry("120000", b"l", &blob));
    let commit = commit(
        &repo,
        &[
            entry(FILE, b"..", &blob),
            entry(FILE, b"A", &blob),
            entry(FILE, b"a", &blob),
            entry(FILE, b"big", &big),
            entry(FOLDER, b"d", &inner),
        ],
    );
    let codes: Vec<_> =
        faults(&open(&repo), &commit, "w").into_iter().map(|fault| fault.0).collect();
    assert_eq!(codes, [Code::TreePath, Code::CaseCollision, Code::TreeLimit, Code::TreeEntry]);
}
